"""How large the square around a particle is, and where its corner lies.

A box of ``box_px`` pixels (even) with corner ``c`` holds the pixels ``c .. c + box_px - 1``; the
particle's centre is pixel ``c + box_px / 2``, counted from 0 at the *centre* of the first pixel. RELION
reads .box files so (``x + width / 2`` becomes rlnCoordinateX) and ``topaz convert`` writes them so.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.units import diameter_px

BOX_DIAMETERS = 1.5
"""Side of the default box in particle diameters."""


def box_sizes_px(coordinates: Coordinates, given_px: int | None) -> NDArray[np.int64]:
    """Return the ``(n, 2)`` widths and heights to write, even: RELION halves them as integers.

    They are ``given_px``, or those that the particles have, or 1.5 diameters, rounded up.

    Raises
    ------
    UsageError
        ``given_px`` is odd or below 2.
    PicksError
        No size is given, and the particle's diameter or the micrograph's pixel size is unknown.
    """
    if given_px is not None:
        if given_px < 2 or given_px % 2:
            raise UsageError(f"box size is {given_px} px, expected an even number from 2 up: change `box_px`")
        return np.full((len(coordinates.x_px), 2), given_px)
    if coordinates.box_px is not None:
        return _even(coordinates.box_px)
    pixel_size_A = coordinates.micrograph.pixel_size_A
    if pixel_size_A is None or coordinates.diameter_A is None:
        missing = "pixel size" if pixel_size_A is None else "diameter of the particles"
        raise PicksError(
            f"{missing} of {coordinates.micrograph.micrograph_id!r} is missing, expected angstroms: "
            "give `box_px`"
        )
    side = BOX_DIAMETERS * diameter_px(coordinates.diameter_A, pixel_size_A)
    return _even(np.full((len(coordinates.x_px), 2), side))


def diameters_px(coordinates: Coordinates, given_px: int | None) -> NDArray[np.float64]:
    """Return the ``(n,)`` diameters of circles around the particles, where a format draws such.

    Raises
    ------
    PicksError
        As :func:`box_sizes_px`.
    """
    pixel_size_A = coordinates.micrograph.pixel_size_A
    if given_px is None and coordinates.diameter_A is not None and pixel_size_A is not None:
        return np.full(len(coordinates.x_px), diameter_px(coordinates.diameter_A, pixel_size_A))
    if given_px is None and coordinates.box_px is not None:
        return np.asarray(coordinates.box_px.max(axis=1), np.float64)
    return np.asarray(box_sizes_px(coordinates, given_px).max(axis=1), np.float64)


def _even(sizes: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    return 2 * np.ceil(np.round(sizes, 3) / 2).astype(np.int64)
