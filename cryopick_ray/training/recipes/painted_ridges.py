"""Ridges painted on the axes of filaments, and their directions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.training.data.labelled import Centres

SIGMA = 0.2
"""Of a painted ridge across the filament, in widths."""
REACH = 4.0
"""Sigmas at which a ridge ends."""
STEP_PX = 0.5
"""Between the places of an axis that the distance of a cell is taken from."""


@dataclass(frozen=True, eq=False)
class PaintedRidges:
    """What a network should answer to filaments.

    Attributes
    ----------
    height
        ``(n, n)`` from 0 to 1, which it is on an axis.
    cos2, sin2
        ``(n, n)`` of twice the direction ``atan2(dy, dx)`` of the nearest axis; 0 far from any.
    """

    height: NDArray[np.float32]
    cos2: NDArray[np.float32]
    sin2: NDArray[np.float32]


def paint_ridges(axes: Sequence[Centres], cells_px: NDArray[np.float64], width_px: float) -> PaintedRidges:
    """Return the ridges of filaments on an ``(n, n)`` grid.

    Parameters
    ----------
    axes
        ``(k, 2)`` x and y of places close together along each filament's axis, in pixels of the crop.
    cells_px
        ``(n,)`` evenly spaced places of the network's answers along either axis, in pixels of the crop.
    width_px
        A filament's width.
    """
    side = len(cells_px)
    height, cos2, sin2 = (np.zeros(side * side, np.float32) for _ in range(3))
    sigma_px = SIGMA * width_px
    places, angles = _near(axes, cells_px[0] - REACH * sigma_px, cells_px[-1] + REACH * sigma_px)
    if len(places):
        cells = np.stack(np.meshgrid(cells_px, cells_px), axis=-1).reshape(-1, 2)
        away, nearest = map(np.asarray, cKDTree(places).query(cells, distance_upper_bound=REACH * sigma_px))
        near = np.isfinite(away)
        height[near] = np.exp(-((away[near] / sigma_px) ** 2) / 2)
        cos2[near], sin2[near] = np.cos(2 * angles[nearest[near]]), np.sin(2 * angles[nearest[near]])
    return PaintedRidges(*(one.reshape(side, side) for one in (height, cos2, sin2)))


def _near(
    axes: Sequence[Centres], low: float, high: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the places of the axes within a square, ``(m, 2)``, and the direction ``(m,)`` at each."""
    places, angles = [np.empty((0, 2))], [np.empty(0)]
    for axis in axes:
        within = ((axis > low) & (axis < high)).all(axis=1)
        if len(axis) > 1 and within.any():
            dx, dy = np.gradient(axis, axis=0)[within].T
            places.append(axis[within].astype(np.float64))
            angles.append(np.arctan2(dy, dx))
    return np.concatenate(places), np.concatenate(angles)
