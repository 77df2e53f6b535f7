"""Maps of a probability and a direction -> the points of ridges, to parts of a pixel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from cryopick_ray.filaments.trace import Points

Map = NDArray[np.float32]
"""``(h, w)`` values of pixels."""
LEAST_FALL = 0.03
"""How much a ridge falls off at least to both sides together, as part of its height: flat is no ridge."""
OWN_PIXEL = 0.55
"""How far from its pixel's centre, in columns and in rows, a ridge may pass and still be that pixel's."""


@dataclass(frozen=True, eq=False)
class RidgePoints:
    """Points on the tops of ridges, at most one a pixel, in the order of rows and columns.

    Attributes
    ----------
    row, column
        ``(n,)`` pixel of each.
    points
        ``(n, 2)`` x and y of the top.
    along
        ``(n, 2)`` unit vectors along the ridge, either way.
    shape
        Height and width of the map.
    """

    row: NDArray[np.intp]
    column: NDArray[np.intp]
    points: Points
    along: Points
    shape: tuple[int, int]

    def __len__(self) -> int:
        return len(self.points)


def sampled(values: Map, points: Points) -> NDArray[np.float64]:
    """Return a map's values at ``(n, 2)`` points, linear between pixels, the border's beyond it."""
    found: NDArray[np.float32] = map_coordinates(values, points.T[::-1], order=1, mode="nearest")
    return found.astype(np.float64)


def smoothed(ridge: Map, over_px: float) -> Map:
    """Return a map without the noise of single pixels: a Gaussian of that sigma over it."""
    calm: Map = gaussian_filter(ridge, over_px, mode="nearest", truncate=3.0)
    return calm


def find_ridges(
    height: Map, cos2: Map, sin2: Map, floor: float, over_px: float, excluded: NDArray[np.bool_] | None
) -> RidgePoints:
    """Return the tops of ridges that are at least ``floor`` high: maxima across the known direction.

    The top is that of a parabola through the pixel and what is one pixel to either side (C. Steger, IEEE
    Trans. Pattern Anal. 20 (1998) 113, with a direction that need not be found).

    Parameters
    ----------
    height
        :func:`smoothed` probability of the axis.
    cos2, sin2
        Cosine and sine of twice the angle ``atan2(dy, dx)`` of the axis; what is longer counts more.
    over_px
        About the side of the square that directions are summed over.
    excluded
        Where nothing is looked for; ``None`` for nowhere.
    """
    is_high = height >= np.float32(floor)
    if excluded is not None:
        is_high &= ~excluded
    row, column = np.nonzero(is_high)
    side = round((over_px - 1) / 2)
    angle = np.arctan2(*(_around(height * part, row, column, side) for part in (sin2, cos2))) / 2
    along = np.column_stack([np.cos(angle), np.sin(angle)])
    across = along[:, ::-1] * (-1, 1)
    centre = np.column_stack([column, row]).astype(np.float64)
    own = height[row, column].astype(np.float64)
    before, after = (sampled(height, centre + sign * across) for sign in (-1, 1))
    fall = 2 * own - before - after
    is_top = fall > LEAST_FALL * own
    off = np.zeros_like(own)
    np.divide(after - before, 2 * fall, out=off, where=is_top)
    moved = off[:, None] * across
    is_top &= (np.abs(moved) <= OWN_PIXEL).all(axis=1)
    return RidgePoints(row[is_top], column[is_top], (centre + moved)[is_top], along[is_top], height.shape)


def _around(values: Map, row: NDArray[np.intp], column: NDArray[np.intp], reach: int) -> NDArray[np.float64]:
    """Return sums over squares of ``2 reach + 1`` pixels around some; beyond the border is as it is there."""
    padded = np.pad(values, reach, mode="edge")
    width = padded.shape[1]
    first, flat = row * width + column, padded.ravel()
    total = np.zeros(len(row))
    for down in range(2 * reach + 1):
        for right in range(2 * reach + 1):
            total += flat[first + (down * width + right)]
    return total
