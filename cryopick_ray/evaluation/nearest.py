"""Two sets of places in one micrograph -> which are the same, whoever comes first."""

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

    By distance rather than by score, as :func:`~cryopick_ray.picks.matching.match` does with truth: scores of
    two pickers do not compare, and neither of them is the judge. Exchanging the two exchanges the answer and
    changes nothing else; a set with itself pairs everything.

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
    nothing = np.empty(0, np.intp)
    if not len(first) or not len(second):
        return nothing, nothing, np.empty(0)
    near = cKDTree(first).sparse_distance_matrix(cKDTree(second), radius_px, output_type="ndarray")
    one, other, apart = near["i"], near["j"], near["v"]
    # The first of these pairs is the best of both its places, so the answer is the one stable matching of
    # places that want the nearest, of equally near ones the first: the same from either side.
    order = np.lexsort((other, one, apart))
    free, wanted = np.ones(len(first), bool), np.ones(len(second), bool)
    taken = []
    for at, i, j in zip(order.tolist(), one[order].tolist(), other[order].tolist(), strict=True):
        if free[i] and wanted[j]:
            free[i] = wanted[j] = False
            taken.append(at)
    chosen = np.array(taken, np.intp)
    chosen = chosen[np.argsort(one[chosen])]
    return one[chosen], other[chosen], apart[chosen]
