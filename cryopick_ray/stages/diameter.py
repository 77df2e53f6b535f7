"""The particles' diameter, where nobody gives it: found in a few of a run's micrographs."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.errors import CryoPickError, MicrographError, PixelSizeError, UsageError, brief
from cryopick_ray.micrographs.exposure import read_exposure
from cryopick_ray.micrographs.preprocess import prepare
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.picks.diameter import EstimatedDiameter
from cryopick_ray.plain_data import read_json
from cryopick_ray.settings import IngestSettings
from cryopick_ray.stages.ingest import probe
from cryopick_ray.stages.ingest_worker import pixel_size_of
from cryopick_ray.store.scale import stored_shape

if TYPE_CHECKING:
    from cryopick_ray.pickers.heatmap.picker import HeatmapPicker

SAMPLED = 8
"""Micrographs looked at; more hardly change the outcome."""
FINEST_A, LONGEST_PX = 1.5, 4096
"""Finer pixels than a small particle needs, and longer sides, are cropped away: memory and time."""
MAX_KEPT_BYTES = 2**20
DIGITS = 3
"""A diameter is kept to so many: no more are known, and a person reads it."""


@dataclass(frozen=True, eq=False)
class _Sampled:
    """A micrograph to look at: its id, ``(h, w)`` float32 pixels, particles dark, and their size."""

    micrograph_id: str
    image: NDArray[np.float32]
    pixel_size_A: float


def find_diameter(
    sources: Sequence[MicrographSource], settings: IngestSettings, *, invert: bool, device: str
) -> EstimatedDiameter:
    """Estimate the particles' diameter from a few micrographs, with the default network.

    Parameters
    ----------
    settings
        How they are read.
    invert
        The particles are brighter than the ice.
    device
        Where the network runs: ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    PixelSizeError
        If a pixel size is missing or not credible.
    UsageError
        If no micrograph can be read, or nothing is found in them.
    """
    from cryopick_ray.pickers.catalogue import load_picker
    from cryopick_ray.pickers.heatmap.diameter import estimate_diameter

    probe(sources, settings)
    # float32, so that another machine finds the same
    picker = load_picker(DEFAULT_MODEL, particle_px=None, device=device, exact=True)
    sampled = list(_sampled(sources, settings, sign=-1 if invert else 1))
    try:
        found = estimate_diameter(
            [one.image for one in sampled],
            [one.pixel_size_A for one in sampled],
            cast("HeatmapPicker", picker),
        )
    except CryoPickError as error:
        raise UsageError(
            f"the diameter cannot be estimated: {error} (give `diameter_A`, or `pixel_size_A` if the "
            "files' own is wrong)"
        ) from error
    curve = [
        pair for pair in zip(found.tried_A, found.evidence, strict=True) if all(map(math.isfinite, pair))
    ]
    return EstimatedDiameter(
        diameter_A=float(f"{found.diameter_A:.{DIGITS}g}"),
        tried_A=tuple(tried_A for tried_A, _ in curve),
        evidence=tuple(evidence for _, evidence in curve),
        particles=found.particles,
        micrographs=tuple(one.micrograph_id for one in sampled),
        model=DEFAULT_MODEL,
        is_sure=found.is_sure,
    )


def evenly_spaced(count: int, most: int) -> list[int]:
    """Return at most ``most`` of the positions below ``count``, the first and the last among them."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, most)).tolist()})


def keep_diameter(path: Path, found: EstimatedDiameter) -> None:
    """Write an estimate whole, or not at all."""
    aside = path.with_suffix(".partial")
    aside.write_text(json.dumps(asdict(found), indent=1, allow_nan=False), encoding="utf-8")
    aside.replace(path)


def kept_diameter(path: Path) -> EstimatedDiameter | None:
    """Return the estimate that a run began with; ``None`` if its diameter was given.

    Raises
    ------
    UsageError
        If the file is damaged.
    """
    try:
        return EstimatedDiameter.from_dict(read_json(path, MAX_KEPT_BYTES))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise UsageError(
            f"{path} is damaged ({brief(error)}); delete it: the run keeps its diameter (config.yaml)"
        ) from error


def _sampled(
    sources: Sequence[MicrographSource], settings: IngestSettings, *, sign: int
) -> Iterator[_Sampled]:
    """Yield the readable ones of evenly spaced micrographs, prepared as for a store."""
    reasons = []
    places = evenly_spaced(len(sources), SAMPLED)
    for source in (sources[place] for place in places):
        try:
            exposure = read_exposure(source, settings)
            micrograph, pixel_size_A = exposure.micrograph, pixel_size_of(source, exposure, settings)
            coarser = max(FINEST_A, pixel_size_A * max(micrograph.shape) / LONGEST_PX)
            shape = stored_shape(micrograph.shape, pixel_size_A, coarser)
            image = prepare(micrograph.pixels, shape).pixels
        except (MicrographError, PixelSizeError) as error:  # a row of failures, once the run gets there
            reasons.append(f"{source.micrograph_id}: {error}")
            continue
        yield _Sampled(
            source.micrograph_id, sign * image, pixel_size_A * micrograph.shape[0] / image.shape[0]
        )
    if len(reasons) == len(places):
        raise UsageError(
            f"the diameter cannot be estimated: none of {len(places)} micrographs can be used "
            f"({reasons[0]}); give it with `diameter_A`"
        )
