"""The pixel size of an exposure, from all that states one: its file, its sidecar, a list and a person."""

from dataclasses import replace

from cryopick_ray.micrographs.exposure import Exposure
from cryopick_ray.micrographs.pixel_size import StatedPixelSizes, decide_pixel_size
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.settings.run_settings import IngestSettings


def pixel_size_of(
    source: MicrographSource, exposure: Exposure, settings: IngestSettings
) -> tuple[float, tuple[str, ...]]:
    """Return a micrograph's pixel size in angstroms, and the doubts about it.

    Sizes that a person or a list states for a movie are those of its frames; its average already has the
    resulting size.

    Raises
    ------
    MicrographError, PixelSizeError
        As :func:`~cryopick_ray.micrographs.pixel_size.decide_pixel_size`.
    """
    own_A = exposure.micrograph.pixel_size_A
    stated = stated_pixel_size(source, settings, own_A)
    if exposure.average is not None:
        is_listed = stated.original_A or stated.listed_A
        stated = StatedPixelSizes(own_A, own_A if stated.given_A else None, own_A if is_listed else None)
    stated = replace(
        stated,
        unclear_size=exposure.micrograph.unclear_size,
        sidecar_A=exposure.sidecar_A,
        sidecar=exposure.sidecar.called,
    )
    return decide_pixel_size(stated, exposure.micrograph.shape, settings.diameter_A)


def stated_pixel_size(
    source: MicrographSource, settings: IngestSettings, header_A: float | None
) -> StatedPixelSizes:
    """Return what the file, a person and the list state as a micrograph's pixel size."""
    return StatedPixelSizes(
        header_A, settings.pixel_size_A, source.pixel_size_A, source.original_pixel_size_A
    )
