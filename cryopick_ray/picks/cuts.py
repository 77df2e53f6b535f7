"""Thresholds for a precision or a number of picks, from the scores of a data set."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryopick_ray.picks.thresholds import Threshold

RESOLUTION = 1e-6
"""Scores are kept as float32: a mean this little below what is wanted is as much as can be told."""


@dataclass(frozen=True)
class Scores:
    """The scores of a data set from which a threshold is chosen.

    Attributes
    ----------
    score
        ``(n,)`` scores in any order.
    micrographs
        Number of complete micrographs, those without candidates included.
    one_of
        Number of candidates that each score stands for, where they are thinned.
    """

    score: NDArray[np.float32]
    micrographs: int
    one_of: int = 1


@dataclass(frozen=True)
class CutSteps:
    """All distinct thresholds, highest first.

    Attributes
    ----------
    score
        ``(k,)`` distinct scores, falling: the picks are the candidates with ``score >= score[i]``.
    count, total
        ``(k,)`` candidates at or above each, and the sum of their scores: by calibrated scores, how many of
        them are particles.
    """

    score: NDArray[np.float64]
    count: NDArray[np.int64]
    total: NDArray[np.float64]

    @property
    def mean(self) -> NDArray[np.float64]:
        """``(k,)`` mean score of the picks at each cut: it never rises as the cut is lowered."""
        return self.total / self.count


def steps(score: ArrayLike) -> CutSteps:
    """Return the cuts through ``(n,)`` scores in any order; equal ones are picked together."""
    falling = np.sort(np.asarray(score, np.float64).ravel())[::-1]
    last = np.flatnonzero(np.diff(falling, append=-np.inf))
    return CutSteps(falling[last], last.astype(np.int64) + 1, np.cumsum(falling)[last])


def cut_at_precision(scores: Scores, precision: float) -> Threshold:
    """Return the lowest cut at which the mean score of what is picked is at least ``precision``.

    Where a score of s means that a share s of such candidates are particles, that mean is the precision to
    expect of the picks. A cut above all scores, with a doubt that says so, where none reaches it.

    Parameters
    ----------
    scores
        Of a data set, calibrated.
    precision
        Share of the picks that are to be particles, 0 to 1.
    """
    cuts = steps(scores.score)
    if not len(cuts.score):
        return Threshold(0.0, "no candidates")
    reached = np.flatnonzero(cuts.mean >= precision - RESOLUTION)
    if not len(reached):
        best = cuts.score[0]
        doubt = f"no candidate scores `precision` {precision:g}, the best {best:.3f}: nothing is picked"
        return Threshold(_above(best), f"precision {precision:g} by the scores: none reaches it", doubt)
    lowest = reached[-1]
    method = f"precision {precision:g} by the scores: {cuts.mean[lowest]:.3f} expected"
    return Threshold(float(cuts.score[lowest]), method)


def cut_at_count(scores: Scores, expected: float) -> Threshold:
    """Return the cut that leaves nearest to ``expected`` picks a micrograph, in the mean of a data set.

    Of two as near, the higher. It asks for the order of the scores alone, so it goes with any picker.

    Parameters
    ----------
    scores
        Of a data set.
    expected
        Picks a micrograph, above 0.
    """
    all_cuts = steps(scores.score)
    if not len(all_cuts.score):
        return Threshold(0.0, "no candidates")
    wanted = expected * scores.micrographs
    cuts = np.concatenate([[_above(all_cuts.score[0])], all_cuts.score])
    counts = np.concatenate([[0], all_cuts.count * scores.one_of])
    nearest = int(np.argmin(np.abs(counts - wanted)))
    each = counts[nearest] / scores.micrographs
    doubt = ""
    if counts[-1] < wanted - 0.5:
        doubt = f"`expect` {expected:g}: there are no more than {each:.4g} candidates a micrograph"
    method = f"{expected:g} picks a micrograph expected: {each:.4g} found"
    return Threshold(float(cuts[nearest]), method, doubt)


def _above(score: float) -> float:
    """Return the next score, as scores are kept."""
    return float(np.nextafter(np.float32(score), np.float32(np.inf)))
