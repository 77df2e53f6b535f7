"""Scores made to mean what they say: a straight line through their log odds (Platt 1999)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

NEVER_SURE = 1e-6
"""Nearest that a score comes to 0 or 1: log odds stay finite."""
STEADY = 1e-3
"""Weight of the pull towards slope 1 and offset 0, in candidates: where all are true or all false."""


def calibrated(score: ArrayLike, line: Sequence[float]) -> NDArray[np.float32]:
    """Return ``(n,)`` scores from 0 to 1 as the probabilities that they stand for, in the same order.

    Parameters
    ----------
    line
        Slope, above 0, and offset: ``log odds = slope * log odds of the score + offset``.
    """
    slope, offset = line
    return np.asarray(expit(slope * _log_odds(score) + offset), np.float32)


def fitted_line(score: ArrayLike, is_true: ArrayLike) -> tuple[float, float]:
    """Return slope and offset that make ``(n,)`` scores likeliest, given which candidates are particles.

    Logistic regression of one variable; the slope stays above 0, so that the order is kept.
    """
    x, true = _log_odds(score), np.asarray(is_true, np.float64)

    def unlikeliness(line: NDArray[np.float64]) -> float:
        odds = np.exp(line[0]) * x + line[1]
        miss = np.logaddexp(0, odds) - true * odds
        return float(miss.sum() + STEADY * (line**2).sum())

    found = minimize(unlikeliness, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9})
    return round(float(np.exp(found.x[0])), 6), round(float(found.x[1]), 6)


def _log_odds(score: ArrayLike) -> NDArray[np.float64]:
    return np.asarray(logit(np.clip(np.asarray(score, np.float64), NEVER_SURE, 1 - NEVER_SURE)))
