"""Random sequential addition: discs placed one after another, kept where they overlap no other."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

Propose = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""Draws ``(k, 2)`` positions (x, y) for ``(k,)`` disc numbers; NaN where a draw missed its region."""

THROWS = 4096
STUBBORN = 64  # rounds of THROWS without one disc placed, after which the field counts as full


def throw(reach_px: NDArray[np.float64], propose: Propose) -> NDArray[np.float64]:
    """Place discs so that no two centres are nearer than the sum of their reaches.

    Large discs go first, for they find no room later. The field jams where discs cover 0.547 of it
    (random sequential addition, Feder 1980, J. Theor. Biol. 87:237); near that it takes for ever,
    so it gives up after a stubborn while.

    Parameters
    ----------
    reach_px
        ``(n,)`` radii.
    propose
        Draws positions; the only source of randomness.

    Returns
    -------
    NDArray
        ``(n, 2)`` x, y in pixels; NaN for discs that found no room.
    """
    centres = np.full((len(reach_px), 2), np.nan)
    for reach in np.unique(reach_px)[::-1]:
        _throw_equal(np.flatnonzero(reach_px == reach), centres, reach_px, propose)
    return centres


def _throw_equal(
    waiting: NDArray[np.int64], centres: NDArray[np.float64], reach_px: NDArray[np.float64], propose: Propose
) -> None:
    """Place the ``waiting`` discs, which are of one size, into ``centres``."""
    idle = 0
    while len(waiting) and idle < STUBBORN:
        discs = np.resize(waiting, THROWS if idle else min(THROWS, 8 * len(waiting)))
        points = propose(discs)
        hit = np.isfinite(points[:, 0])
        discs, points = discs[hit], points[hit]
        if len(discs):
            free = _clear_of_placed(points, reach_px[waiting[0]], centres, reach_px)
            discs, points = discs[free], points[free]
        first = _clear_of_each_other(discs, points, 2 * reach_px[waiting[0]])
        centres[discs[first]] = points[first]
        idle = 0 if len(first) else idle + 1
        waiting = waiting[np.isnan(centres[waiting, 0])]


def _clear_of_placed(
    points: NDArray[np.float64], reach: float, centres: NDArray[np.float64], reach_px: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which points leave room to all placed discs, one nearest-neighbour look-up per size."""
    free = np.ones(len(points), dtype=bool)
    placed = np.isfinite(centres[:, 0])
    for other in np.unique(reach_px[placed]):
        tree = KDTree(centres[placed & (reach_px == other)])
        nearest, _ = tree.query(points, distance_upper_bound=reach + other)
        free &= nearest >= reach + other
    return free


def _clear_of_each_other(discs: NDArray[np.int64], points: NDArray[np.float64], apart_px: float) -> list[int]:
    """Return which throws stand, in order: clear of those before them, one for each disc."""
    if not len(points):
        return []
    pairs = KDTree(points).query_pairs(apart_px, output_type="ndarray")
    early, late = pairs.min(axis=1), pairs.max(axis=1)
    order = np.argsort(early)
    rivals, starts = late[order], np.searchsorted(early[order], np.arange(len(points) + 1)).tolist()
    blocked = np.zeros(len(points), dtype=bool)
    standing: list[int] = []
    done: set[int] = set()
    for k, disc in enumerate(discs.tolist()):
        if not blocked[k] and disc not in done:
            standing.append(k)
            done.add(disc)
            blocked[rivals[starts[k] : starts[k + 1]]] = True
    return standing
