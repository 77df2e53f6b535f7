"""Scores made to mean what they say: a line through their log odds (Platt 1999), a micrograph's own share."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

NEVER_SURE = 1e-6
"""Nearest that a score comes to 0 or 1: log odds stay finite."""
STEADY_COUNT, MOST_STEPS, CLOSE = 20.0, 50, 1e-6
"""Candidates that stand for the usual share, and where the search for a micrograph's own ends."""
STEADY = 1e-3
"""Weight of the pull towards slope 1 and offset 0, in candidates: where all are true or all false."""


def calibrated(score: ArrayLike, numbers: Sequence[float]) -> NDArray[np.float32]:
    """Return ``(n,)`` scores from 0 to 1 as the probabilities that they stand for, in the same order.

    Parameters
    ----------
    numbers
        Slope, above 0, and offset: ``log odds = slope * log odds of the score + offset``. Where ``prior`` and
        ``trust`` follow, the candidates are those of one micrograph and tell how many are particles there:
        see :func:`matched`.
    """
    slope, offset, *rest = numbers
    line = slope * log_odds_of(score) + offset
    return np.asarray(expit(matched(line, *rest) if rest else line), np.float32)


def matched(log_odds: NDArray[np.float64], prior: float, trust: float) -> NDArray[np.float64]:
    """Return the log odds of one micrograph's ``(n,)`` candidates under its own share of particles.

    The share is the one that the probabilities themselves come to, found by expectation-maximisation
    (Saerens, Latinne & Decaestecker 2002, Neural Comput. 14:21): a crowd of faint particles lifts what is
    doubtful, an empty field of texture lowers it. As many as :data:`STEADY_COUNT` candidates of the usual
    share are counted with it, so that few candidates decide little.

    Parameters
    ----------
    prior
        Share of particles among candidates that the log odds suppose.
    trust
        Part of the change of the prior's log odds that is made: 0 none, 1 all.
    """
    share, usual = prior, float(logit(prior))
    for _ in range(MOST_STEPS):
        moved = log_odds + trust * (logit(share) - usual)
        found = (float(expit(moved).sum()) + STEADY_COUNT * prior) / (len(log_odds) + STEADY_COUNT)
        if abs(found - share) < CLOSE:
            break
        share = found
    return np.asarray(log_odds + trust * (logit(share) - usual))


def fitted_line(score: ArrayLike, is_true: ArrayLike) -> tuple[float, float]:
    """Return slope and offset that make ``(n,)`` scores likeliest, given which candidates are particles.

    Logistic regression of one variable; the slope stays above 0, so that the order is kept.
    """
    x, true = log_odds_of(score), np.asarray(is_true, np.float64)

    def unlikeliness(line: NDArray[np.float64]) -> float:
        odds = np.exp(line[0]) * x + line[1]
        miss = np.logaddexp(0, odds) - true * odds
        return float(miss.sum() + STEADY * (line**2).sum())

    found = minimize(unlikeliness, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9})
    return round(float(np.exp(found.x[0])), 6), round(float(found.x[1]), 6)


def log_odds_of(score: ArrayLike) -> NDArray[np.float64]:
    """Return the log odds of scores from 0 to 1, finite even of 0 and 1."""
    return np.asarray(logit(np.clip(np.asarray(score, np.float64), NEVER_SURE, 1 - NEVER_SURE)))
