"""Smooth curves in the plane, in units of a filament's width: wormlike chains and their parallels."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import KDTree

Curve = NDArray[np.float64]
"""``(n, 2)`` x, y of points :data:`STEP` apart."""

STEP = 0.125
"""Distance of neighbouring points, in widths."""
SMOOTH = 1.0
"""Standard deviation over which a bend is spread, in widths: a filament has no kinks."""


def worm(rng: np.random.Generator, length: float, persistence: float, tightest: float) -> Curve:
    """Return a wormlike chain through the origin, which lies anywhere along it, in a random direction.

    Parameters
    ----------
    length, persistence
        Along the line, and over which it forgets its direction: the mean cosine of the angle between
        tangents falls to 1/e.
    tightest
        Least radius of a bend.
    """
    count = max(2, round(length / STEP) + 1)
    bend = rng.standard_normal(count) * np.sqrt(2 / (persistence * STEP))
    bend = np.clip(gaussian_filter1d(bend, SMOOTH / STEP, mode="nearest"), -1 / tightest, 1 / tightest)
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(bend) * STEP
    points = np.cumsum(STEP * np.column_stack([np.cos(heading), np.sin(heading)]), axis=0)
    return np.asarray(points - points[rng.integers(count)])


def beside(curve: Curve, distance: float) -> Curve:
    """Return the curve that runs so far to one side of another, its points :data:`STEP` apart."""
    along = np.gradient(curve, axis=0)
    along /= np.hypot(along[:, 0], along[:, 1])[:, None]
    return even(curve + distance * np.column_stack([-along[:, 1], along[:, 0]]))


def even(curve: Curve) -> Curve:
    """Return points :data:`STEP` apart along a polyline, as many as fit."""
    track = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    at = np.arange(0, track[-1] + 1e-9, STEP)
    return np.column_stack([np.interp(at, track, axis) for axis in curve.T])


def runs(kept: NDArray[np.bool_]) -> list[slice]:
    """Return the stretches of neighbours that are kept."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], kept, [False]]).astype(np.int8)))
    return [slice(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def clear_of_itself(curve: Curve, distance: float) -> Curve:
    """Return a curve up to where it comes back to within ``distance``, or at most 1 more, of itself."""
    apart = round(1 / STEP)
    near = KDTree(curve[::apart]).query_pairs(distance + 1, output_type="ndarray")
    back = near[np.abs(near[:, 1] - near[:, 0]) > 3 * distance]
    return curve[: apart * (back.max(axis=1).min() - 1) + 1] if len(back) else curve
