"""Boxes cut out of a micrograph around particles, pixel for pixel as RELION's extraction cuts them.

A box of even side ``b`` around whole pixel ``(x, y)`` has columns ``x - b / 2`` to ``x + b / 2 - 1`` and rows
alike, so that the particle is at its pixel ``b / 2``. What a box has beyond the edge is the nearest pixel of
the edge; a box that holds nothing of the micrograph is nobody's particle (RELION's extraction ends there).
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.units import Shape

Centres = NDArray[np.int64]
SAMPLED_ROWS = 64


def whole_centres(x_px: NDArray[Any], y_px: NDArray[Any]) -> Centres:
    """Return ``(n, 2)`` the whole pixels x, y nearest to centres; halves go up."""
    return np.floor(np.column_stack([x_px, y_px]).astype(np.float64) + 0.5).astype(np.int64)


def origins_A(
    centres: NDArray[Any], x_px: NDArray[Any], y_px: NDArray[Any], pixel_size_A: float
) -> NDArray[np.float64]:
    """Return ``(n, 2)`` what rounding left, as rlnOriginXAngst and YAngst: minus the rest of x and of y.

    The true centre is ``coordinate - origin / pixel size``, as RELION recentres.

    Parameters
    ----------
    centres
        ``(n, 2)`` x, y of the boxes' middle pixels, in pixels of the micrograph as all else.
    """
    places = np.column_stack([x_px, y_px]).astype(np.float64)
    return np.asarray((centres - places) * pixel_size_A)


def is_touched(centres: Centres, box_px: int, shape: Shape) -> NDArray[np.bool_]:
    """Return ``(n,)`` bool, true of boxes that hold any of a micrograph of this height and width."""
    first, sides = centres - box_px // 2, np.array(shape[::-1])
    return np.asarray(((first < sides) & (first + box_px > 0)).all(axis=1))


def is_inside(centres: Centres, box_px: int, shape: Shape) -> NDArray[np.bool_]:
    """Return ``(n,)`` bool, true of boxes that hold nothing else."""
    first, sides = centres - box_px // 2, np.array(shape[::-1])
    return np.asarray(((first >= 0) & (first + box_px <= sides)).all(axis=1))


def crop(pixels: NDArray[Any], centres: Centres, box_px: int, offset: float = 0.0) -> NDArray[np.float32]:
    """Return ``(n, box_px, box_px)`` float32 boxes of ``(h, w)`` pixels around ``(n, 2)`` centres x, y.

    Parameters
    ----------
    offset
        Taken off all grey values, so that few digits go into what they have in common.
    """
    height, width = pixels.shape
    pixels = np.asarray(pixels)  # slices of a mapped file cost twice as much
    inside = is_inside(centres, box_px, (height, width))
    boxes = np.empty((len(centres), box_px, box_px), np.float32)
    reach, off = np.arange(box_px), np.float32(offset)
    for box, (x, y), is_whole in zip(boxes, (centres - box_px // 2).tolist(), inside.tolist(), strict=True):
        if is_whole:
            seen = pixels[y : y + box_px, x : x + box_px]
        else:
            rows, columns = np.clip(y + reach, 0, height - 1), np.clip(x + reach, 0, width - 1)
            seen = pixels[np.ix_(rows, columns)]
        np.subtract(seen, off, out=box, casting="same_kind")
    return boxes


def common_value(pixels: NDArray[Any]) -> float:
    """Return about the mean of a micrograph's grey values, 0 where they are not all numbers."""
    mean = float(pixels[:: max(1, len(pixels) // SAMPLED_ROWS)].mean(dtype=np.float64))
    return mean if math.isfinite(mean) else 0.0
