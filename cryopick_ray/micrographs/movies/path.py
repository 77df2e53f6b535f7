"""Smoothing of the path of motion by generalised cross-validation."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FEWEST_TO_SMOOTH = 6
STIFFNESSES = np.geomspace(1, 1e-6, 121)
"""Of the spline, the stiffest first, in units of the number of frames."""


def smooth(shifts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a path with as much noise taken out as generalised cross-validation advises.

    A cubic spline is drawn through each axis, as stiff as cross-validation finds that it predicts best
    (Craven & Wahba 1978).

    Parameters
    ----------
    shifts
        ``(n, 2)``; fewer than six stay as they are.
    """
    if len(shifts) < FEWEST_TO_SMOOTH:
        return shifts
    modes, bending = _modes(len(shifts))
    amplitudes = modes.T @ (shifts - shifts[0])
    # What is left of each mode is 1 - removed.
    removed = 1 - 1 / (1 + len(shifts) * STIFFNESSES[:, None] * bending)
    scores = (removed**2 @ amplitudes**2) / removed.sum(1, keepdims=True) ** 2
    # From the stiffest on until the score rises: the least of all may be a spline that follows the noise.
    rises = np.vstack([np.diff(scores, axis=0) > 0, np.full((1, 2), fill_value=True)])
    smoothed: NDArray[np.float64] = shifts[0] + modes @ (amplitudes * (1 - removed[rises.argmax(0)].T))
    return smoothed


@lru_cache(maxsize=8)
def _modes(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the modes of a natural cubic spline through as many equally spaced points, and how each bends.

    Of ``(n, n)`` columns, values at the points, the second result is the integral of the square of the second
    derivative (Green & Silverman 1994, Nonparametric Regression, section 2.1).
    """
    second = np.diff(np.eye(count), 2, axis=0)
    inner = np.eye(count - 2) * 2 / 3 + (np.eye(count - 2, k=1) + np.eye(count - 2, k=-1)) / 6
    bending, modes = np.linalg.eigh(second.T @ np.linalg.solve(inner, second))
    bending[:2] = 0  # straight lines
    return modes, bending
