"""Whether a teaching helped: marks that were held back, and what was sure before."""

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
from cryopick_ray.training.scored import found_by

LOWEST, HIGHEST = 0.01, 0.995
"""Scores of marks at which no candidate is, and the highest: a single mark decides no more than so much."""
LIKELIER = 2.0
"""Nats by which marks must be likelier for another threshold or model than for the usual one: by chance one
more number does so one time in twenty."""


@dataclass(frozen=True)
class Answers:
    """What a model says of marks: ``(n,)`` scores of marked particles, and ``(m,)`` of wrong places."""

    particles: NDArray[np.float64]
    wrong: NDArray[np.float64]

    def __add__(self, other: "Answers") -> "Answers":
        """Return the answers to both."""
        return Answers(
            np.concatenate([self.particles, other.particles]), np.concatenate([self.wrong, other.wrong])
        )

    def __len__(self) -> int:
        return len(self.particles) + len(self.wrong)

    def right(self, threshold: float) -> int:
        """Return how many marks lie on their side of a threshold."""
        return int((self.particles >= threshold).sum() + (self.wrong < threshold).sum())

    @property
    def in_order(self) -> float:
        """Share of pairs of a particle and a wrong place in which the particle scores higher."""
        apart = self.particles[:, None] - self.wrong[None]
        return float(((apart > 0) + 0.5 * (apart == 0)).mean())

    def unlikeliness(self, threshold: float) -> float:
        """Return minus the logarithm of how likely the marks are, in nats, each kind counting as much."""
        particles, wrong = (_log_odds(one) - logit(threshold) for one in (self.particles, self.wrong))
        each = np.logaddexp(0, -particles).mean(), np.logaddexp(0, wrong).mean()
        return float(sum(each)) * len(self) / 2

    def chosen(self, usual: float, other: float) -> float:
        """Return the usual threshold, or another one if that makes the marks clearly likelier.

        People remove the wrong picks that score highest, so marks alone would suggest too high a threshold.
        """
        gain = self.unlikeliness(usual) - self.unlikeliness(other)
        return other if gain >= LIKELIER else usual


def suggested(found: Sequence[Candidates], usual: float) -> float:
    """Return the threshold that candidates suggest by themselves; the usual one where they are too few."""
    scores = np.concatenate([one.score for one in found])
    return usual if len(scores) < MIN_CANDIDATES else round(log_odds_threshold(scores).value, 4)


def as_strict(found: Sequence[Candidates], count: int, usual: float) -> float:
    """Return the usual threshold, or a higher one from which ``count`` candidates are picked and no more."""
    scores = np.sort(np.concatenate([one.score for one in found]))[::-1]
    if len(scores) <= count:
        return usual
    return max(usual, round(float(scores[count - 1]), 4) if count else HIGHEST)


def answers(picker: Picker, rows: Sequence[LabelledRow]) -> tuple[Answers, list[Candidates]]:
    """Return what a picker says of marks, and all that it finds in their micrographs.

    A mark's score is that of the best candidate near it, of those that ``cryopick run`` might pick.
    """
    found = [found_by(picker, row) for row in rows]
    particles, wrong = (
        np.concatenate([_best(one, getattr(row, kind), row) for row, one in zip(rows, found, strict=True)])
        for kind in ("particles", "false")
    )
    return Answers(particles, wrong), found


def kept_share(before: Sequence[Candidates], after: Sequence[Candidates], reach_px: Sequence[float]) -> float:
    """Return the share of some picks beside which others lie, within so many pixels; 1 of none."""
    near = [
        np.isfinite(cKDTree(_places(new)).query(_places(old), distance_upper_bound=reach)[0])
        for old, new, reach in zip(before, after, reach_px, strict=True)
    ]
    every = np.concatenate([np.zeros(0, bool), *near])
    return float(every.mean()) if len(every) else 1.0


def _best(found: Candidates, marks: NDArray[np.float32], row: LabelledRow) -> NDArray[np.float64]:
    """Return the score of the best candidate near each of a micrograph's marks."""
    if not (len(found) and len(marks)):
        return np.full(len(marks), LOWEST)
    reach_px = REACH * row.diameter_A / row.row.pixel_size_A
    near = cKDTree(_places(found)).query_ball_point(marks, reach_px)
    return np.array([max(float(found.score[some].max()), LOWEST) if some else LOWEST for some in near])


def _places(found: Candidates) -> NDArray[np.float32]:
    return np.column_stack([found.x, found.y])


def _log_odds(score: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(logit(np.clip(score, LOWEST, HIGHEST)))
