"""Points along an axis, with gaps -> a smooth line through them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from cryopick_ray.filaments.trace import Points

Floats = NDArray[np.float64]
STEP_PX = 1.0
LEAST_WEIGHT = 1e-6


def bridged(parts: Sequence[Points]) -> tuple[Points, Floats]:
    """Return vertices about a pixel apart along parts and the straight gaps between them, and their weights.

    Weights are 1 where there is a part and 0 in gaps.
    """
    parts = _without_overlap(parts)
    points = np.concatenate(parts)
    is_last = np.zeros(len(points), bool)
    is_last[np.cumsum([len(part) for part in parts])[:-1] - 1] = True
    track = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    count = max(int(track[-1] / STEP_PX), 1) + 1
    there = np.linspace(0, track[-1], count)
    found = np.column_stack([np.interp(there, track, axis) for axis in points.T])
    before = np.clip(np.searchsorted(track, there, side="right") - 1, 0, len(points) - 2)
    in_gap = is_last[before] & (np.diff(track)[before] > 2 * STEP_PX)
    return found, np.where(in_gap, 0.0, 1.0)


def _without_overlap(parts: Sequence[Points]) -> list[Points]:
    """Return parts without those first points that lie behind where the part before has got to."""
    kept = [parts[0]]
    for part in parts[1:]:
        end = kept[-1][-1]
        on = (part - end) @ (part[-1] - kept[-1][0])
        kept.append(part[np.argmax(on > 0) :] if on[-1] > 0 else part[-1:])
    return kept


def smooth_line(points: Points, weight: Floats, over_px: float) -> Points:
    """Return ``(n, 2)`` vertices one pixel apart, smoothed; what has no weight follows from the rest.

    The line has the least sum of squared distances from the points, weighted, and of its squared second
    differences times ``over_px ** 4``: waves shorter than some 6 ``over_px`` are lost (E. T. Whittaker, Proc.
    Edinburgh Math. Soc. 41 (1923) 63).
    """
    n = len(points)
    if n < 3:
        return points
    known = np.maximum(weight, LEAST_WEIGHT)
    bands = over_px**4 * _second_differences(n)
    bands[2] += known
    smooth: Points = solveh_banded(bands, known[:, None] * points)
    return smooth


def _second_differences(n: int) -> Floats:
    """Return the ``(3, n)`` upper bands of D'D, the farthest first; D are second differences of n values."""
    bands = np.zeros((3, n))
    bands[0, 2:] = 1
    bands[1, 1 : n - 1] -= 2
    bands[1, 2:] -= 2
    for offset, factor in enumerate((1, -2, 1)):
        bands[2, offset : n - 2 + offset] += factor**2
    return bands
