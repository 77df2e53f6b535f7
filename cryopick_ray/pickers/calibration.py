"""Calibration of scores to probabilities: a line in log odds (Platt 1999), and the share of a micrograph."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

NEVER_SURE = 1e-6
"""Scores are clipped this far from 0 and 1, so that log odds are finite."""
STEADY_COUNT, MOST_STEPS, CLOSE = 20.0, 50, 1e-6
"""Pseudo-count of candidates of the usual share; most iterations, and the tolerance that ends them."""
STEADY = 1e-3
"""Regularisation towards slope 1 and offset 0, in candidates: for sets that are all true or all false."""


def calibrated(score: ArrayLike, numbers: Sequence[float]) -> NDArray[np.float32]:
    """Return the calibrated probabilities of ``(n,)`` scores from 0 to 1; their order is kept.

    Parameters
    ----------
    numbers
        Slope, above 0, and offset: ``log odds = slope * log odds of the score + offset``. Where ``prior`` and
        ``trust`` follow, the candidates are those of one micrograph, whose share of particles is estimated
        from them: see :func:`adapted_to_share`.
    """
    slope, offset, *rest = numbers
    line = slope * log_odds_of(score) + offset
    return np.asarray(expit(adapted_to_share(line, *rest) if rest else line), np.float32)


def adapted_to_share(log_odds: NDArray[np.float64], prior: float, trust: float) -> NDArray[np.float64]:
    """Return the log odds of one micrograph's ``(n,)`` candidates, adapted to its own share of particles.

    The share is estimated from the probabilities by expectation-maximisation (Saerens, Latinne &
    Decaestecker 2002, Neural Comput. 14:21): a crowd of faint particles raises doubtful scores, an empty
    field of texture lowers them. A pseudo-count of :data:`STEADY_COUNT` candidates of the usual share keeps
    few candidates from changing much.

    Parameters
    ----------
    prior
        Share of particles among candidates on which the log odds are based.
    trust
        Part of the change of the prior's log odds that is applied: 0 none, 1 all.
    """
    share, usual_log_odds = prior, float(logit(prior))
    for _ in range(MOST_STEPS):
        moved = log_odds + trust * (logit(share) - usual_log_odds)
        estimate = (float(expit(moved).sum()) + STEADY_COUNT * prior) / (len(log_odds) + STEADY_COUNT)
        if abs(estimate - share) < CLOSE:
            break
        share = estimate
    return np.asarray(log_odds + trust * (logit(share) - usual_log_odds))


def fitted_line(score: ArrayLike, is_true: ArrayLike) -> tuple[float, float]:
    """Return the slope and offset of greatest likelihood for ``(n,)`` scores, given which are particles.

    Logistic regression of one variable; the slope stays above 0, so that the order is kept.
    """
    x, true = log_odds_of(score), np.asarray(is_true, np.float64)

    def unlikeliness(line: NDArray[np.float64]) -> float:
        odds = np.exp(line[0]) * x + line[1]
        miss = np.logaddexp(0, odds) - true * odds
        return float(miss.sum() + STEADY * (line**2).sum())

    optimum = minimize(
        unlikeliness, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}
    )
    return round(float(np.exp(optimum.x[0])), 6), round(float(optimum.x[1]), 6)


def log_odds_of(score: ArrayLike) -> NDArray[np.float64]:
    """Return the log odds of scores from 0 to 1, finite even of 0 and 1."""
    return np.asarray(logit(np.clip(np.asarray(score, np.float64), NEVER_SURE, 1 - NEVER_SURE)))
