"""Lines -> where they turn as one filament does not: there they go on along another one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.filaments.cutting import Mask, runs
from cryopick_ray.filaments.trace import Points

CHORD, LEAST_CHORD = 2.0, 1.4
"""Widths on each side whose directions are compared, and those at a line's end, where there are no more."""
KINK_DEG, KINK_RATIO = 16.0, 4.0
"""A turn is a kink from here on, and from so many times what its line turns elsewhere: some are curved."""
NEAR, NEAR_PART = 1.0, 0.5
"""Widths to another line, and the part of both that makes a kink there."""


def not_kinked(lines: Sequence[Points], width_px: float) -> list[Mask]:
    """Tell which vertices of ``(n, 2)`` lines, a pixel apart, are not the sharpest of a kink.

    Where two filaments meet at a small angle their ridges are one for a while, and a line may leave it along
    the other: it turns there more than it does elsewhere.
    """
    kept = []
    for line, is_near in zip(lines, _near_others(lines, NEAR * width_px), strict=True):
        turn_deg = turns_deg(line, CHORD * width_px, LEAST_CHORD * width_px)
        kink_deg = max(KINK_DEG, KINK_RATIO * float(np.median(turn_deg)))
        keep = np.ones(len(line), bool)
        for run in runs(turn_deg > kink_deg * np.where(is_near, NEAR_PART, 1.0)):
            keep[run.start + np.argmax(turn_deg[run])] = False
        kept.append(keep)
    return kept


def turns_deg(line: Points, chord_px: float, least_px: float) -> NDArray[np.float64]:
    """Return ``(n,)`` degrees that a line turns by at each vertex, between chords before and after it.

    Zero where either is shorter than ``least_px``: too near to an end.
    """
    number = np.arange(len(line))
    before, after = (np.minimum(round(chord_px), left) for left in (number, number[::-1]))
    back, on = line - line[number - before], line[number + after] - line
    turn = np.arctan2(back[:, 0] * on[:, 1] - back[:, 1] * on[:, 0], np.einsum("ij,ij->i", back, on))
    is_known = np.minimum(before, after) >= round(least_px)
    return np.rad2deg(np.where(is_known, np.abs(turn), 0.0))


def _near_others(lines: Sequence[Points], radius_px: float) -> list[Mask]:
    """Tell which vertices of lines have one of another line within a radius."""
    if not lines:
        return []
    lengths = [len(line) for line in lines]
    owner = np.repeat(np.arange(len(lines)), lengths)
    pairs = cKDTree(np.concatenate(lines)).query_pairs(radius_px, output_type="ndarray")
    near = np.zeros(len(owner), bool)
    near[pairs[owner[pairs[:, 0]] != owner[pairs[:, 1]]]] = True
    return np.split(near, np.cumsum(lengths)[:-1])
