"""How large the square around a particle is, and where its corner lies.

A box of ``box_px`` pixels (even) with corner ``c`` holds the pixels ``c .. c + box_px - 1``; the
particle's centre is pixel ``c + box_px / 2``, counted from 0 at the *centre* of the first pixel. RELION
reads .box files so (``x + width / 2`` becomes rlnCoordinateX) and ``topaz convert`` writes them so.
"""

import math

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.units import diameter_px

BOX_DIAMETERS = 1.5
"""Side of the default box in particle diameters."""


def box_size_px(one: Coordinates, given_px: int | None) -> int:
    """Return ``given_px``, or 1.5 diameters rounded up to an even number of pixels.

    Raises
    ------
    UsageError
        ``given_px`` is odd or below 2: RELION halves it as an integer.
    PicksError
        No size is given, and the particle's diameter or the micrograph's pixel size is unknown.
    """
    if given_px is not None:
        if given_px < 2 or given_px % 2:
            raise UsageError(f"box size is {given_px} px, expected an even number from 2 up: change `box_px`")
        return given_px
    pixel_size_A = one.micrograph.pixel_size_A
    if pixel_size_A is None or one.diameter_A is None:
        missing = "pixel size" if pixel_size_A is None else "diameter of the particles"
        raise PicksError(
            f"{missing} of {one.micrograph.micrograph_id!r} is missing, expected angstroms: give `box_px`"
        )
    return 2 * math.ceil(BOX_DIAMETERS * diameter_px(one.diameter_A, pixel_size_A) / 2)
