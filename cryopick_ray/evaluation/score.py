"""Scores of a run: precision, recall, F1 and AUPRC, pooled over micrographs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.evaluation.curves import Curve, curve
from cryopick_ray.evaluation.reliability import Reliability, reliability


@dataclass(frozen=True)
class Ranked:
    """One micrograph's candidates, each a hit or a false one, and the hits among the run's picks.

    Attributes
    ----------
    score, is_hit
        ``(n,)`` scores of the candidates, and whether each finds a particle.
    n_picks, n_hits, n_truth
        Candidates picked by the run, those of them that find a particle, true particles.
    failed
        Whether the micrograph could not be picked at all.
    scored
        Whether its candidates have scores; if not, all are equal.
    n_kept_out, kept_out_by
        Number of candidates that are kept out whatever their score, and their combined reasons
        (:class:`~cryopick_ray.picks.reasons.Reason`).
    offset
        ``(n_hits,)`` how far each hit among the picks is off its particle's centre, in diameters.
    """

    score: NDArray[np.float32]
    is_hit: NDArray[np.bool_]
    n_picks: int
    n_hits: int
    n_truth: int
    failed: bool = False
    scored: bool = True
    n_kept_out: int = 0
    kept_out_by: int = 0
    offset: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))


@dataclass(frozen=True)
class Score:
    """Measures of picks; ``None`` where one is not defined (no picks, true particles or scores).

    Attributes
    ----------
    n_candidates, n_picks, n_truth, n_hits
        Candidates above the picker's floor, those of them picked by the run, true particles, picks
        that find one.
    precision, recall, f1
        Of the run's picks.
    best_f1, best_threshold
        The highest F1 that any threshold gives; picks are the candidates with a score of at least that.
    auprc
        Average precision of all candidates over all true particles.
    centring_error
        Median distance of the picks that find a particle from its centre, in diameters.
    picks_per_particle
        Picks for each true particle; above 1, some are false or doubled.
    """

    n_candidates: int
    n_picks: int
    n_truth: int
    n_hits: int
    precision: float | None
    recall: float | None
    f1: float | None
    best_f1: float | None
    best_threshold: float | None
    auprc: float | None
    centring_error: float | None = None
    picks_per_particle: float | None = None


def pooled_curve(micrographs: Sequence[Ranked]) -> Curve:
    """Return the curve of all candidates of all micrographs in one ranking."""
    return curve(
        np.concatenate([micrograph.score for micrograph in micrographs]),
        np.concatenate([micrograph.is_hit for micrograph in micrographs]),
        sum(micrograph.n_truth for micrograph in micrographs),
    )


def pooled_reliability(micrographs: Sequence[Ranked]) -> Reliability | None:
    """Return the reliability of scores as probabilities; ``None`` where they are none."""
    if not all(micrograph.scored for micrograph in micrographs):
        return None
    score, is_hit = (
        [getattr(micrograph, name) for micrograph in micrographs] for name in ("score", "is_hit")
    )
    return reliability(np.concatenate(score), np.concatenate(is_hit))


def any_scored(micrographs: Sequence[Ranked]) -> bool:
    """Tell whether candidates have scores to rank them by."""
    return any(micrograph.scored for micrograph in micrographs)


def pooled_score(micrographs: Sequence[Ranked]) -> Score:
    """Return the score of one or more micrographs taken together."""
    ranking = pooled_curve(micrographs)
    n_truth = ranking.n_truth
    n_picks, n_hits = (
        sum(micrograph.n_picks for micrograph in micrographs),
        sum(micrograph.n_hits for micrograph in micrographs),
    )
    is_ranked = any_scored(micrographs)
    best_f1, best_threshold = (ranking.best() if is_ranked else None) or (None, None)
    offset = np.concatenate([micrograph.offset for micrograph in micrographs])
    return Score(
        n_candidates=sum(len(micrograph.score) for micrograph in micrographs),
        n_picks=n_picks,
        n_truth=n_truth,
        n_hits=n_hits,
        precision=n_hits / n_picks if n_picks else None,
        recall=n_hits / n_truth if n_truth else None,
        f1=2 * n_hits / (n_picks + n_truth) if n_picks + n_truth else None,
        best_f1=best_f1,
        best_threshold=best_threshold,
        auprc=ranking.average_precision() if n_truth and is_ranked else None,
        centring_error=float(np.median(offset)) if len(offset) else None,
        picks_per_particle=n_picks / n_truth if n_truth else None,
    )
