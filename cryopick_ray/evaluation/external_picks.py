"""Coordinates of any file, as picks that can be compared with others."""

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
    """Yield the same as picks, all of them picked; NaN where there is no score.

    What files tell of classes, angles and sizes becomes optional columns; a box is the one that a picker drew
    where a file has such, else the one to cut out.

    Parameters
    ----------
    pixel_size_A, diameter_A
        Of the micrographs and the particles whose file does not say.

    Raises
    ------
    UsageError
        Either is missing, or rows are counted from the last.
    """
    for one in coordinates:
        name = one.micrograph.relion_name
        size_A = one.micrograph.pixel_size_A or pixel_size_A
        across_A = one.diameter_A or diameter_A
        if size_A is None:
            raise UsageError(f"pixel size of {name!r} is missing, expected angstroms: give `pixel_size_A`")
        if across_A is None:
            raise UsageError(f"diameter of the particles of {name!r} is missing: give `radius_A`")
        if one.is_upside_down:
            raise UsageError(f"rows of {name!r} are counted from the last: convert it, with `image_height`")
        more = one.known
        if one.box_px is not None:
            more = dict(zip(BOX, single(one.box_px).T, strict=True)) | more
        yield MicrographPicks(
            replace(one.micrograph, pixel_size_A=size_A),
            one.x_px.astype(np.float32),
            one.y_px.astype(np.float32),
            one.score.astype(np.float32),
            none(len(one.x_px)),
            across_A,
            more=in_angstroms(more, size_A),
        )
