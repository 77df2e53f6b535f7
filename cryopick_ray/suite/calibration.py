"""Whether a score of s means that a share s of such candidates are particles."""

import numpy as np
from numpy.typing import NDArray

BINS = 10


def calibration_error(score: NDArray[np.floating], is_hit: NDArray[np.bool_]) -> float | None:
    """Return the expected calibration error of ``(n,)`` candidates' scores.

    The mean of ``|share of particles - mean score|`` over ten bins of equal width, weighted by their
    candidates (Naeini et al. 2015, AAAI). ``None`` without candidates, or where scores are none of
    chances, from 0 to 1.
    """
    if not len(score) or not np.all((score >= 0) & (score <= 1)):
        return None
    which = np.minimum((np.asarray(score, np.float64) * BINS).astype(np.intp), BINS - 1)
    sums = np.bincount(which, score - is_hit.astype(np.float64), BINS)
    return float(np.abs(sums).sum() / len(score))
