"""Automatic thresholds from the scores of a data set, without labels."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from cryopick_ray.pickers.calibration import log_odds_of

BINS = 256
BULK = (0.05, 0.5, 0.95)
REACH = 3.0
"""Scores further from the median than so many widths of the bulk share the outermost bins."""
MIN_CANDIDATES = 30
MIN_MEMBERS = 10
"""Fewer scores than these are freaks, not a population."""
START_QUANTILES = (0.5, 0.8, 0.95, 0.99)
"""Where the first split of the scores lies in each start of the fit: particles may be many or few."""
MAX_STEPS = 300


@dataclass(frozen=True)
class Threshold:
    """A cut through the scores: the picks are the candidates with ``score >= value``.

    Attributes
    ----------
    value
        The lowest score that is picked.
    method
        How it was found, in words for the report.
    doubt
        What was wanted and could not be had; empty if all could.
    """

    value: float
    method: str
    doubt: str = ""


@dataclass(frozen=True)
class _Mixture:
    """Two normal populations of one width; ``share`` and ``high`` are those of the upper one."""

    low: float
    high: float
    variance: float
    share: float
    log_likelihood: float

    def crossing(self) -> float:
        """Return the score that belongs to either population with probability one half."""
        odds = np.log((1 - self.share) / self.share)
        return float((self.low + self.high) / 2 + self.variance * odds / (self.high - self.low))


def auto_threshold(score: ArrayLike) -> Threshold:
    """Return a sensible cut through the scores of all candidates of a data set.

    Candidates above a low floor are two populations, false ones below and particles above. Two normal
    distributions of one common width are fitted to the histogram of the scores (256 bins) by
    expectation-maximisation from four starts, the likeliest fit kept; the cut is where a score belongs
    to either with probability one half (linear discriminant analysis, without labels). The common width
    makes this point unique, and steadier than free widths where the populations overlap.

    It stands on the histogram only, so it is quick on millions of scores, does not depend on their
    order, and follows any change of the score's scale or zero. It needs the false ones too: candidates
    cut at a high floor bend the fit. Where the fit has nothing to say, the method tells: no candidates
    (0); fewer than 30, or nine in ten equal (all are picked); no better than a single normal
    distribution by the Bayesian information criterion, or only with a population of fewer than ten
    (the median).

    Parameters
    ----------
    score
        ``(n,)`` scores in any order; those that are not finite are left out.
    """
    scores = np.asarray(score, np.float64).ravel()
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        return Threshold(0.0, "no candidates")
    if len(scores) < MIN_CANDIDATES:
        return Threshold(float(scores.min()), f"all picked: fewer than {MIN_CANDIDATES} candidates")
    low, median, high = np.quantile(scores, BULK)
    if not low < high:
        return Threshold(float(scores.min()), "all picked: nine in ten scores are equal")
    reach = REACH * (high - low)
    bottom, top = max(scores.min(), median - reach), min(scores.max(), median + reach)
    unit = np.clip((scores - bottom) / (top - bottom), 0, 1)
    count, edges = np.histogram(unit, BINS, range=(0.0, 1.0))
    centre = (edges[:-1] + edges[1:]) / 2
    weight = count.astype(np.float64)
    fits = [_fit(weight, centre, start) for start in START_QUANTILES]
    fits = [fit for fit in fits if MIN_MEMBERS <= fit.share * len(scores) <= len(scores) - MIN_MEMBERS]
    best = max(fits, key=lambda fit: fit.log_likelihood, default=None)
    gain = best.log_likelihood - _one_normal(weight, centre) if best else 0.0
    if best is None or gain <= np.log(len(scores)):  # two more parameters
        return Threshold(float(median), "median: the scores form one population")
    cut = float(np.clip(best.crossing(), 0, 1))
    return Threshold(float(bottom + cut * (top - bottom)), "two normal populations of one width, equal odds")


def log_odds_threshold(score: ArrayLike) -> Threshold:
    """Return :func:`auto_threshold` of the log odds of ``(n,)`` scores from 0 to 1, as a score.

    What a sigmoid crowds at 0 and 1 is spread again: either population is then nearly normal.
    """
    found = auto_threshold(log_odds_of(score))
    return replace(found, value=float(expit(found.value)))


def _fit(weight: NDArray[np.float64], centre: NDArray[np.float64], start: float) -> _Mixture:
    """Fit both populations to a histogram, the upper one starting above the ``start`` quantile."""
    total = weight.sum()
    above = np.cumsum(weight) - weight / 2 > start * total
    belongs = np.where(above, 0.99, 0.01)  # to the upper population; never all or nothing
    floor = (centre[1] - centre[0]) ** 2 / 12  # a histogram knows no width below a bin's
    log_likelihood = -np.inf
    for _ in range(MAX_STEPS):
        upper, lower = weight * belongs, weight * (1 - belongs)
        share = upper.sum() / total
        high, low = upper @ centre / upper.sum(), lower @ centre / lower.sum()
        variance = max((upper @ (centre - high) ** 2 + lower @ (centre - low) ** 2) / total, floor)
        upper_log = np.log(share) - (centre - high) ** 2 / (2 * variance)
        lower_log = np.log(1 - share) - (centre - low) ** 2 / (2 * variance)
        both = np.logaddexp(upper_log, lower_log)
        belongs = np.exp(upper_log - both)
        before, log_likelihood = log_likelihood, weight @ both - total / 2 * np.log(variance)
        if log_likelihood - before < 1e-9 * total:
            break
    return _Mixture(low, high, variance, share, log_likelihood)


def _one_normal(weight: NDArray[np.float64], centre: NDArray[np.float64]) -> float:
    """Return the log-likelihood of one normal distribution, on the scale of the mixture's."""
    total = weight.sum()
    mean = weight @ centre / total
    return float(-total / 2 * (1 + np.log(weight @ (centre - mean) ** 2 / total)))
