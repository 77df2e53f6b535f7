"""One-to-one pairing of two sets of positions in a micrograph, symmetric in the sets."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Places = NDArray[np.float64]
"""``(n, 2)`` columns (x) and rows (y) in pixels."""
Indices = NDArray[np.intp]


def nearest_pairs(
    first: Places, second: Places, radius_px: float
) -> tuple[Indices, Indices, NDArray[np.float64]]:
    """Return pairs of one place each, none of them twice, the nearest taken first.

    By distance rather than by score, as in :func:`~cryopick_ray.picks.matching.match` with truth: scores of
    two pickers cannot be compared, and neither is the reference. Exchanging the sets exchanges the result
    and changes nothing else; a set with itself pairs everything.

    Parameters
    ----------
    first, second
        ``(n, 2)`` and ``(m, 2)`` places.
    radius_px
        Largest distance of a pair, itself included.

    Returns
    -------
    first, second, apart_px
        ``(k,)`` indices into either, and distances in pixels; by rising index into the first.
    """
    empty = np.empty(0, np.intp)
    if not len(first) or not len(second):
        return empty, empty, np.empty(0)
    near = cKDTree(first).sparse_distance_matrix(cKDTree(second), radius_px, output_type="ndarray")
    first_index, second_index, apart = near["i"], near["j"], near["v"]
    # The first of these pairs is the best of both its places, so the answer is the one stable matching of
    # places that want the nearest, of equally near ones the first: the same from either side.
    order = np.lexsort((second_index, first_index, apart))
    is_free_first, is_free_second = np.ones(len(first), bool), np.ones(len(second), bool)
    kept = []
    for at, i, j in zip(
        order.tolist(), first_index[order].tolist(), second_index[order].tolist(), strict=True
    ):
        if is_free_first[i] and is_free_second[j]:
            is_free_first[i] = is_free_second[j] = False
            kept.append(at)
    chosen = np.array(kept, np.intp)
    chosen = chosen[np.argsort(first_index[chosen])]
    return first_index[chosen], second_index[chosen], apart[chosen]
