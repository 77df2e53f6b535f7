"""Evidence for a model trained on marks: its scores at held-back marks, and the picks that it keeps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import logit

from cryopick_ray.pickers.picker import Candidates, Picker
from cryopick_ray.picks.thresholds import MIN_CANDIDATES, log_odds_threshold
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.recipes.heatmap import REACH
from cryopick_ray.training.scored import pick_labelled

LOWEST, HIGHEST = 0.01, 0.995
"""Score of marks without a candidate, and the highest score: both limit the weight of a single mark."""
LIKELIER = 2.0
"""Nats by which another threshold or model must make the marks likelier than the usual one: by chance one
more number does so one time in twenty."""


@dataclass(frozen=True)
class MarkScores:
    """A model's scores at marks: ``(n,)`` at marked particles, ``(m,)`` at wrong places."""

    particles: NDArray[np.float64]
    wrong: NDArray[np.float64]

    def __add__(self, other: "MarkScores") -> "MarkScores":
        """Return the scores of both sets of marks."""
        return MarkScores(
            np.concatenate([self.particles, other.particles]), np.concatenate([self.wrong, other.wrong])
        )

    def __len__(self) -> int:
        return len(self.particles) + len(self.wrong)

    def right(self, threshold: float) -> int:
        """Return the number of marks on the right side of a threshold."""
        return int((self.particles >= threshold).sum() + (self.wrong < threshold).sum())

    @property
    def in_order(self) -> float:
        """Share of pairs of a particle and a wrong place in which the particle scores higher."""
        apart = self.particles[:, None] - self.wrong[None]
        return float(((apart > 0) + 0.5 * (apart == 0)).mean())

    def unlikeliness(self, threshold: float) -> float:
        """Return minus the logarithm of how likely the marks are, in nats, each kind counting as much."""
        particles, wrong = (_log_odds(score) - logit(threshold) for score in (self.particles, self.wrong))
        each = np.logaddexp(0, -particles).mean(), np.logaddexp(0, wrong).mean()
        return float(sum(each)) * len(self) / 2

    def chosen(self, usual: float, other: float) -> float:
        """Return the usual threshold, or another one if that makes the marks clearly likelier.

        People remove the wrong picks that score highest, so marks alone would suggest too high a threshold.
        """
        gain = self.unlikeliness(usual) - self.unlikeliness(other)
        return other if gain >= LIKELIER else usual


def suggested_threshold(found: Sequence[Candidates], usual: float) -> float:
    """Return the threshold estimated from candidates' scores; the usual one if they are too few."""
    scores = np.concatenate([candidates.score for candidates in found])
    return usual if len(scores) < MIN_CANDIDATES else round(log_odds_threshold(scores).value, 4)


def strict_threshold(found: Sequence[Candidates], count: int, usual: float) -> float:
    """Return the usual threshold, or a higher one from which at most ``count`` candidates are picked."""
    scores = np.sort(np.concatenate([candidates.score for candidates in found]))[::-1]
    if len(scores) <= count:
        return usual
    return max(usual, round(float(scores[count - 1]), 4) if count else HIGHEST)


def score_marks(picker: Picker, rows: Sequence[LabelledRow]) -> tuple[MarkScores, list[Candidates]]:
    """Return a picker's scores at marks, and all its candidates in their micrographs.

    A mark's score is that of the best candidate near it.
    """
    by_row = [pick_labelled(picker, row) for row in rows]
    particles, wrong = (
        np.concatenate(
            [_best(candidates, getattr(row, kind), row) for row, candidates in zip(rows, by_row, strict=True)]
        )
        for kind in ("particles", "false")
    )
    return MarkScores(particles, wrong), by_row


def kept_share(before: Sequence[Candidates], after: Sequence[Candidates], reach_px: Sequence[float]) -> float:
    """Return the share of picks ``before`` with one of ``after`` within ``reach_px``; 1 if there are none."""
    near = [
        np.isfinite(cKDTree(_places(new)).query(_places(old), distance_upper_bound=reach)[0])
        for old, new, reach in zip(before, after, reach_px, strict=True)
    ]
    every = np.concatenate([np.zeros(0, bool), *near])
    return float(every.mean()) if len(every) else 1.0


def _best(candidates: Candidates, marks: NDArray[np.float32], row: LabelledRow) -> NDArray[np.float64]:
    """Return the score of the best candidate near each of a micrograph's marks."""
    if not (len(candidates) and len(marks)):
        return np.full(len(marks), LOWEST)
    reach_px = REACH * row.diameter_A / row.row.pixel_size_A
    near = cKDTree(_places(candidates)).query_ball_point(marks, reach_px)
    return np.array(
        [max(float(candidates.score[indices].max()), LOWEST) if indices else LOWEST for indices in near]
    )


def _places(candidates: Candidates) -> NDArray[np.float32]:
    return np.column_stack([candidates.x, candidates.y])


def _log_odds(score: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(logit(np.clip(score, LOWEST, HIGHEST)))
