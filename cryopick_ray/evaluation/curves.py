"""Curves of precision and recall of ranked picks; F1 and average precision."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Curve:
    """Precision and recall of the picks at or above each threshold, highest threshold first.

    Attributes
    ----------
    threshold
        ``(k,)`` distinct scores, falling; picks have ``score >= threshold``.
    n_picks, n_hits
        ``(k,)`` picks at or above the threshold, and how many of them find a particle.
    n_truth
        All reference particles, found or not.
    """

    threshold: NDArray[np.float64]
    n_picks: NDArray[np.int64]
    n_hits: NDArray[np.int64]
    n_truth: int

    @property
    def precision(self) -> NDArray[np.float64]:
        """``(k,)`` share of the picks that find a particle."""
        return self.n_hits / self.n_picks

    @property
    def recall(self) -> NDArray[np.float64]:
        """``(k,)`` share of the reference particles found; 0 if there are none."""
        return self.n_hits / max(self.n_truth, 1)

    @property
    def f1(self) -> NDArray[np.float64]:
        """``(k,)`` harmonic mean of precision and recall."""
        return 2 * self.n_hits / (self.n_picks + self.n_truth)

    def average_precision(self) -> float:
        """Return the area under the curve as average precision over all reference particles.

        ``sum_k (R_k - R_(k-1)) P_k``: the step sum, without interpolation. A particle that no
        candidate finds counts as missed, so a perfect ranking of half the particles scores 0.5.
        """
        return float(np.sum(np.diff(self.recall, prepend=0.0) * self.precision))

    def best(self) -> tuple[float, float] | None:
        """Return the best F1 and its threshold (the highest of equals); ``None`` without picks."""
        if not len(self.threshold):
            return None
        index = int(np.argmax(self.f1))
        return float(self.f1[index]), float(self.threshold[index])

    def recall_at(self, precision: float) -> float:
        """Return the highest recall of any threshold whose picks are at least so precise; 0 if none are."""
        return float(self.recall[self.precision >= precision].max(initial=0.0))


def curve(score: ArrayLike, is_hit: ArrayLike, n_truth: int) -> Curve:
    """Return the curve of ``(n,)`` scores whose picks are true or false against ``n_truth`` particles."""
    scores, hits = np.asarray(score, np.float64), np.asarray(is_hit, bool)
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    last_of_equals = np.flatnonzero(np.diff(scores, append=-np.inf))
    return Curve(
        scores[last_of_equals],
        last_of_equals.astype(np.int64) + 1,
        np.cumsum(hits[order], dtype=np.int64)[last_of_equals],
        n_truth,
    )
