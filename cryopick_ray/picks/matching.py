"""Matching of picks with true particles of one micrograph."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

FREE = -1


def match(
    x_px: ArrayLike,
    y_px: ArrayLike,
    score: ArrayLike,
    truth_x_px: ArrayLike,
    truth_y_px: ArrayLike,
    radius_px: float,
) -> NDArray[np.intp]:
    """Return for each pick the index of the true particle it finds, or -1.

    One-to-one and greedy by score: each pick, best first (equal scores in the order given), takes the
    nearest true particle within ``radius_px`` (the radius included) that no better pick has taken.
    Greedy rather than optimal because what a pick matches then depends on better picks only: one
    matching serves every threshold, a second pick on a particle is always the false one, and a
    low-scoring pick can never turn a better one into a miss.

    Parameters
    ----------
    x_px, y_px, score
        ``(n,)`` picks in any order, and their scores.
    truth_x_px, truth_y_px
        ``(m,)`` true centres on the same pixel grid.
    radius_px
        Largest distance of a pick to the particle it finds.

    Returns
    -------
    NDArray[np.intp]
        ``(n,)`` indices into the truth, -1 where a pick finds nothing.
    """
    picks = np.column_stack([x_px, y_px]).astype(np.float64)
    truth = np.column_stack([truth_x_px, truth_y_px]).astype(np.float64)
    found = np.full(len(picks), FREE, np.intp)
    if not len(picks) or not len(truth):
        return found
    near = cKDTree(picks).sparse_distance_matrix(cKDTree(truth), radius_px, output_type="ndarray")
    rank = np.empty(len(picks), np.intp)
    rank[np.argsort(-np.asarray(score, np.float64), kind="stable")] = np.arange(len(picks))
    order = np.lexsort((near["j"], near["v"], rank[near["i"]]))
    taken = np.zeros(len(truth), bool)
    for pick, particle in zip(near["i"][order].tolist(), near["j"][order].tolist(), strict=True):
        if found[pick] == FREE and not taken[particle]:
            found[pick] = particle
            taken[particle] = True
    return found


def offsets(
    picks: NDArray[np.floating], truth: NDArray[np.floating], finds: NDArray[np.intp], diameter_px: float
) -> NDArray[np.float32]:
    """Return ``(h,)`` distances, in diameters, of the picks that find a particle from its centre.

    Parameters
    ----------
    picks, truth
        ``(n, 2)`` picks and ``(m, 2)`` true centres, x and y in pixels.
    finds
        ``(n,)`` indices into the truth, as :func:`match` returns them.
    diameter_px
        Of a particle.
    """
    is_hit = finds >= 0
    apart_px = np.linalg.norm(picks[is_hit] - truth[finds[is_hit]], axis=1)
    return np.asarray(apart_px / diameter_px, np.float32)
