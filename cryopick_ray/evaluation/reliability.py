"""Reliability of scores as probabilities: reliability curve and expected calibration error."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

BINS = 15
FLOOR = 0.05
"""Candidates below it are many and surely false: they would hide the error of the others."""


@dataclass(frozen=True)
class ScoreBin:
    """A bin of candidates by score: mean score and share of true ones; no bin is empty."""

    mean_score: float
    share_true: float
    count: int


@dataclass(frozen=True)
class Reliability:
    """How far scores are from the share of true candidates.

    Attributes
    ----------
    ece
        Expected calibration error of the candidates with a score of at least 0.05; ``None`` without any.
    ece_all
        That of all.
    bins
        The reliability curve of all candidates, lowest scores first.
    """

    ece: float | None
    ece_all: float
    bins: tuple[ScoreBin, ...]


def reliability(score: ArrayLike, is_true: ArrayLike) -> Reliability | None:
    """Return the reliability of ``(n,)`` scores; ``None`` if there are none, or some lie outside 0 to 1.

    Parameters
    ----------
    score, is_true
        ``(n,)`` scores, and whether each candidate finds a particle.
    """
    scores, true = np.asarray(score, np.float64), np.asarray(is_true, bool)
    if not len(scores) or not ((scores >= 0) & (scores <= 1)).all():
        return None
    above = scores >= FLOOR
    ece = calibration_error(score_bins(scores[above], true[above])) if above.any() else None
    bins = score_bins(scores, true)
    return Reliability(ece, calibration_error(bins), bins)


def score_bins(score: ArrayLike, is_true: ArrayLike) -> tuple[ScoreBin, ...]:
    """Return the reliability curve: 15 bins of equal width from 0 to 1, without those that are empty."""
    scores, true = np.asarray(score, np.float64), np.asarray(is_true, np.float64)
    which = np.minimum((scores * BINS).astype(np.intp), BINS - 1)
    count = np.bincount(which, minlength=BINS)
    total, hits = (np.bincount(which, weights=values, minlength=BINS) for values in (scores, true))
    return tuple(
        ScoreBin(float(total[at] / count[at]), float(hits[at] / count[at]), int(count[at]))
        for at in np.flatnonzero(count)
    )


def calibration_error(bins: Sequence[ScoreBin]) -> float:
    """Return the expected calibration error.

    The sum over the bins of each one's share of the candidates times ``|mean score - share true|``, Guo et
    al. (2017), ICML, "On calibration of modern neural networks".
    """
    n = sum(score_bin.count for score_bin in bins)
    return sum(score_bin.count * abs(score_bin.mean_score - score_bin.share_true) for score_bin in bins) / n
