"""Coordinates of other programs' files as picks."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from cryopick_ray.errors import UsageError
from cryopick_ray.formats.column_names import single
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.picks.columns import in_angstroms
from cryopick_ray.picks.reasons import none
from cryopick_ray.picks.schema import MicrographPicks

BOX = ("box_w_px", "box_h_px")


def as_picks(
    coordinates: Iterable[Coordinates], *, pixel_size_A: float | None, diameter_A: float | None
) -> Iterator[MicrographPicks]:
    """Yield coordinates as picks, all of them picked; scores are NaN where a file has none.

    Classes, angles and sizes in files become optional columns; a box is the picker's own where a file has
    such boxes, otherwise the box to extract.

    Parameters
    ----------
    pixel_size_A, diameter_A
        For micrographs and particles without them in their file.

    Raises
    ------
    UsageError
        Either is missing, or rows are counted from the last.
    """
    for in_micrograph in coordinates:
        name = in_micrograph.micrograph.relion_name
        micrograph_pixel_A = in_micrograph.micrograph.pixel_size_A or pixel_size_A
        particle_A = in_micrograph.diameter_A or diameter_A
        if micrograph_pixel_A is None:
            raise UsageError(f"pixel size of {name!r} is missing, expected angstroms: give `pixel_size_A`")
        if particle_A is None:
            raise UsageError(f"diameter of the particles of {name!r} is missing: give `radius_A`")
        if in_micrograph.is_upside_down:
            raise UsageError(f"rows of {name!r} are counted from the last: convert it, with `image_height`")
        more = in_micrograph.known
        if in_micrograph.box_px is not None:
            more = dict(zip(BOX, single(in_micrograph.box_px).T, strict=True)) | more
        yield MicrographPicks(
            replace(in_micrograph.micrograph, pixel_size_A=micrograph_pixel_A),
            in_micrograph.x_px.astype(np.float32),
            in_micrograph.y_px.astype(np.float32),
            in_micrograph.score.astype(np.float32),
            none(len(in_micrograph.x_px)),
            particle_A,
            more=in_angstroms(more, micrograph_pixel_A),
        )
