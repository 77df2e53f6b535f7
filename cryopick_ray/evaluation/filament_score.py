"""Micrographs of filaments that were compared with true ones -> the numbers that a run is judged by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ComparedFilaments:
    """One micrograph's filaments that were compared with true ones; lengths in widths.

    Attributes
    ----------
    score, length, hit_length
        ``(n,)`` of each candidate: its score, its length, and what of it follows a true filament.
    true_score, true_length
        ``(m,)`` of parts of true filaments: the highest score that finds it, minus infinity where none does.
    n_found, found_length, found_hit_length, covered_length
        Filaments picked by the run, their length, what of it is true, and what of true ones it finds.
    n_truth, crossings, breaks, false_joins, bridges
        True filaments and how often they cross; of those picked, pieces and joins that should not be, and
        gaps between ends that were bridged.
    angle_deg, offset
        ``(h,)`` how far the picked are off the true ones' directions, and off their axes in widths.
    scored
        Whether candidates have scores; if not, all are equal.
    """

    score: Floats
    length: Floats
    hit_length: Floats
    true_score: Floats
    true_length: Floats
    n_found: int
    found_length: float
    found_hit_length: float
    covered_length: float
    n_truth: int
    crossings: int
    breaks: int
    false_joins: int
    bridges: int
    angle_deg: Floats
    offset: Floats
    scored: bool


@dataclass(frozen=True)
class FilamentScore:
    """How good filaments are; ``None`` where a measure is not defined (none found, none true, no scores).

    Attributes
    ----------
    n_truth, n_found
        True filaments, and those picked by the run.
    truth_widths, found_widths
        Their lengths together, in widths.
    recall, precision, f1
        Share of the true length that is within half a width of one found and within 30 degrees of its
        direction; share of the found length of which the same is true; their harmonic mean.
    best_f1, best_threshold
        The highest that any threshold gives.
    auprc
        Average precision of all candidates, by length.
    breaks
        Found filaments more than one that follow a true one, for a width at least.
    false_joins, bridges, crossings
        How often one found goes from a true one to another, where they meet and across a gap between their
        ends; how often true ones cross.
    angle_deg, angle_90_deg
        Median error of the direction where it follows a true one, and what nine of ten are below.
    offset
        Median distance there from the true axis, in widths.
    """

    n_truth: int
    n_found: int
    truth_widths: float
    found_widths: float
    recall: float | None
    precision: float | None
    f1: float | None
    best_f1: float | None
    best_threshold: float | None
    auprc: float | None
    breaks: int
    false_joins: int
    bridges: int
    crossings: int
    angle_deg: float | None
    angle_90_deg: float | None
    offset: float | None


@dataclass(frozen=True, eq=False)
class LengthCurve:
    """Precision and recall by length of the filaments at or above each threshold, highest threshold first.

    Attributes
    ----------
    threshold
        ``(k,)`` distinct scores, falling.
    precision, recall
        ``(k,)`` share of the found length that is true, and of the true length that is found.
    """

    threshold: Floats
    precision: Floats
    recall: Floats

    def average_precision(self) -> float:
        """Return the area below the curve: the step sum, as for particles."""
        return float(np.sum(np.diff(self.recall, prepend=0.0) * self.precision))

    def best(self) -> tuple[float, float] | None:
        """Return the best harmonic mean of both, and its threshold; ``None`` without filaments."""
        if not len(self.threshold):
            return None
        total = np.maximum(self.precision + self.recall, np.finfo(float).tiny)
        f1 = 2 * self.precision * self.recall / total
        return float(f1.max()), float(self.threshold[np.argmax(f1)])


def pooled_curve(micrographs: Sequence[ComparedFilaments]) -> LengthCurve:
    """Return the curve of all candidates of all micrographs in one ranking."""
    score, length, hit, true_score, true_length = (
        np.concatenate([getattr(micrograph, name) for micrograph in micrographs])
        for name in ("score", "length", "hit_length", "true_score", "true_length")
    )
    threshold = np.unique(score)[::-1]
    found, hits = (_at_least(threshold, score, one) for one in (length, hit))
    covered = _at_least(threshold, true_score, true_length)
    recall = covered / true_length.sum() if len(true_length) else np.zeros(len(threshold))
    return LengthCurve(threshold, hits / found, recall)


def pooled_score(micrographs: Sequence[ComparedFilaments]) -> FilamentScore:
    """Return the score of one or more micrographs taken together."""
    found, hit, covered = (
        sum(getattr(micrograph, name) for micrograph in micrographs)
        for name in ("found_length", "found_hit_length", "covered_length")
    )
    true = float(sum(micrograph.true_length.sum() for micrograph in micrographs))
    recall, precision = covered / true if true else None, hit / found if found else None
    is_ranked = any(micrograph.scored for micrograph in micrographs)
    curve = pooled_curve(micrographs)
    best_f1, best_threshold = (curve.best() if is_ranked and true else None) or (None, None)
    angle, offset = (
        np.concatenate([getattr(micrograph, name) for micrograph in micrographs])
        for name in ("angle_deg", "offset")
    )
    return FilamentScore(
        n_truth=sum(micrograph.n_truth for micrograph in micrographs),
        n_found=sum(micrograph.n_found for micrograph in micrographs),
        truth_widths=true,
        found_widths=found,
        recall=recall,
        precision=precision,
        f1=_harmonic(recall, precision),
        best_f1=best_f1,
        best_threshold=best_threshold,
        auprc=curve.average_precision() if is_ranked and true else None,
        breaks=sum(micrograph.breaks for micrograph in micrographs),
        false_joins=sum(micrograph.false_joins for micrograph in micrographs),
        bridges=sum(micrograph.bridges for micrograph in micrographs),
        crossings=sum(micrograph.crossings for micrograph in micrographs),
        angle_deg=_quantile(angle, 0.5),
        angle_90_deg=_quantile(angle, 0.9),
        offset=_quantile(offset, 0.5),
    )


def _at_least(threshold: Floats, score: Floats, length: Floats) -> Floats:
    """Return ``(k,)`` the length of what has a score of at least each threshold."""
    order = np.argsort(-score, kind="stable")
    so_far = np.concatenate([[0.0], np.cumsum(length[order])])
    found: Floats = so_far[np.searchsorted(-score[order], -threshold, side="right")]
    return found


def _harmonic(recall: float | None, precision: float | None) -> float | None:
    """Return the harmonic mean; 0 where nothing was found of something."""
    if recall is None or precision is None:
        return None if recall is precision else 0.0
    return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def _quantile(values: Floats, part: float) -> float | None:
    return float(np.quantile(values, part)) if len(values) else None
