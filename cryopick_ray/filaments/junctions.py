"""Chains that meet -> chains that end where they meet."""

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from cryopick_ray.filaments.trace import Points


def split_at_junctions(chains: Sequence[Points], near_px: float) -> list[Points]:
    """Return the parts of ``(n, 2)`` chains between the places where another chain ends upon them.

    Which parts go on into each other is then open, as it is where two filaments become one ridge for a while.

    Parameters
    ----------
    near_px
        How far from a chain another's end may be that ends upon it.
    """
    lengths = [len(chain) for chain in chains]
    owner = np.repeat(np.arange(len(chains)), lengths)
    points = np.concatenate(chains)
    last = np.cumsum(lengths) - 1
    first = np.concatenate([[0], last[:-1] + 1])
    ends = np.concatenate([first, last])
    near = cKDTree(points[ends]).sparse_distance_matrix(cKDTree(points), near_px, output_type="ndarray")
    near = near[owner[ends[near["i"]]] != owner[near["j"]]]
    order = np.lexsort((near["j"], near["v"], owner[near["j"]], near["i"]))
    end, at = near["i"][order], near["j"][order]
    is_closest = np.diff(end, prepend=-1).astype(bool) | np.diff(owner[at], prepend=-1).astype(bool)
    cuts = np.union1d(at[is_closest], last[:-1] + 1)
    return [part for part in np.split(points, cuts) if len(part)]


def length_px(chain: Points) -> float:
    """Return how long a chain is, from its first point to its last along it."""
    return float(np.hypot(*np.diff(chain, axis=0).T).sum())
