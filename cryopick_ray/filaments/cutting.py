"""Lines -> those parts of them that are one filament, and only one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.filaments.trace import Points

Mask = NDArray[np.bool_]
BESIDE = 0.4
"""Widths within which two lines of one direction are the same filament."""
SAME_DEG, CROSSING_DEG = 30.0, 10.0
"""Angles below which two lines are one filament, and above which they cross."""


def runs(keep: Mask) -> list[slice]:
    """Return where ``(n,)`` values are true, run after run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], keep, [False]])))
    return [slice(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def inside_ends(keep: Mask) -> Mask:
    """Return ``(n,)`` bool, false only from either end to the first true value."""
    inside: Mask = np.logical_or.accumulate(keep) & np.logical_or.accumulate(keep[::-1])[::-1]
    return inside


def directions(line: Points) -> Points:
    """Return ``(n, 2)`` unit vectors along a line's vertices."""
    steps = np.gradient(line, axis=0)
    unit: Points = steps / np.maximum(np.hypot(*steps.T), 1e-12)[:, None]
    return unit


def is_straight(line: Points, chord: int, least_radius_px: float) -> Mask:
    """Tell where ``(n, 2)`` vertices, a pixel apart, are bent no more than a circle of that radius.

    Parameters
    ----------
    chord
        Vertices on each side whose directions are compared.
    """
    n = len(line)
    chord = min(chord, (n - 1) // 2)
    if chord < 1:
        return np.ones(n, bool)
    before, after = line[chord:-chord] - line[: -2 * chord], line[2 * chord :] - line[chord:-chord]
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    turn = np.abs(np.arctan2(cross, np.einsum("ij,ij->i", before, after)))
    length = (np.hypot(*before.T) + np.hypot(*after.T)) / 2
    straight = turn * least_radius_px <= length
    return np.concatenate([np.full(chord, straight[0]), straight, np.full(chord, straight[-1])])


def straightness(line: Points) -> float:
    """Return the distance of a line's ends, as part of its length."""
    return float(np.hypot(*(line[-1] - line[0])) / np.hypot(*np.diff(line, axis=0).T).sum())


def not_covered(lines: Sequence[Points], width_px: float) -> list[Mask]:
    """Tell which vertices of lines are not those of a longer line too, given the longest first.

    Only from the ends on: two filaments that cross have their crossing both.
    """
    return [inside_ends(~one) for one in _near(lines, BESIDE * width_px, SAME_DEG, beside=True)]


def not_crossing(lines: Sequence[Points], margin_px: float) -> list[Mask]:
    """Tell which vertices of lines are farther than that from a line of another direction."""
    return [~one for one in _near(lines, margin_px, CROSSING_DEG, beside=False)]


def _near(lines: Sequence[Points], radius_px: float, angle_deg: float, *, beside: bool) -> list[Mask]:
    """Tell which vertices are near another line: an earlier one of that direction if ``beside``."""
    if not lines:
        return []
    lengths = [len(line) for line in lines]
    owner = np.repeat(np.arange(len(lines)), lengths)
    points, along = np.concatenate(lines), np.concatenate([directions(line) for line in lines])
    one, other = cKDTree(points).query_pairs(radius_px, output_type="ndarray").T
    apart = owner[one] != owner[other]
    one, other = one[apart], other[apart]
    is_beside = np.abs(np.einsum("ij,ij->i", along[one], along[other])) >= np.cos(np.deg2rad(angle_deg))
    one, other = one[is_beside == beside], other[is_beside == beside]
    near = np.zeros(len(points), bool)
    if beside:
        near[np.where(owner[one] > owner[other], one, other)] = True
    else:
        near[one] = near[other] = True
    return np.split(near, np.cumsum(lengths)[:-1])
