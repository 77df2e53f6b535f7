"""Candidates of a picker on labelled micrographs, matched with the labels and scored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.evaluation.curves import Curve
from cryopick_ray.evaluation.score import Ranked, Score, pooled_curve, pooled_score
from cryopick_ray.micrographs.junk import kept_out
from cryopick_ray.micrographs.resample import fourier_resize
from cryopick_ray.pickers.calibration import calibrated
from cryopick_ray.pickers.picker import Candidates, Picker
from cryopick_ray.picks.columns import take_columns
from cryopick_ray.picks.matching import match, offsets
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.views import Image, unvaried
from cryopick_ray.units import resampled_shape, resampled_to_source, working_pixel_size_A


@dataclass(frozen=True)
class ScoredMicrograph:
    """One micrograph's candidates, in pixels of the source, and which of them find a particle.

    Attributes
    ----------
    offset
        ``(h,)`` distance of each hit from its particle's centre, in diameters; empty if not measured.
    """

    source: LabelledRow
    candidates: Candidates
    is_hit: NDArray[np.bool_]
    offset: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))


def score_picker(picker: Picker, rows: Sequence[LabelledRow]) -> list[ScoredMicrograph]:
    """Pick labelled micrographs as ``cryopick run`` would, and match the candidates with the labels.

    Candidates at unsure places are left out: neither hits nor false. So are those that the picker takes to
    lie on junk, which a run does not pick.
    """
    return [match_labels(row, pick_labelled(picker, row)) for row in rows]


def score(scored: Sequence[ScoredMicrograph], threshold: float | None = None) -> Score:
    """Return the pooled score of the candidates, picked from ``threshold`` up (all without one)."""
    return pooled_score(
        [_ranked(micrograph, -np.inf if threshold is None else threshold) for micrograph in scored]
    )


def ranking(scored: Sequence[ScoredMicrograph]) -> Curve:
    """Return precision and recall at every threshold."""
    return pooled_curve([_ranked(micrograph, -np.inf) for micrograph in scored])


def scores_and_hits(scored: Sequence[ScoredMicrograph]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the scores of all candidates, and which find a particle."""
    return (
        np.concatenate([micrograph.candidates.score for micrograph in scored]),
        np.concatenate([micrograph.is_hit for micrograph in scored]),
    )


def with_calibration(micrograph: ScoredMicrograph, line: Sequence[float]) -> ScoredMicrograph:
    """Return a micrograph's candidates with calibrated scores."""
    candidates = micrograph.candidates
    scores = calibrated(candidates.score, line)
    return replace(micrograph, candidates=replace(candidates, score=scores))


def pick_labelled(
    picker: Picker, source: LabelledRow, vary: Callable[[Image], Image] = unvaried
) -> Candidates:
    """Return a picker's candidates of a micrograph in pixels of the source, those on junk left out.

    Parameters
    ----------
    vary
        Changes the grey values that the picker is given.
    """
    row = source.row
    pixels = MicrographStore(source.store_url).read(row) * np.float32(source.sign)
    pixel_size_A = working_pixel_size_A(source.diameter_A, picker.particle_px)
    shape = resampled_shape(row.source_shape, row.pixel_size_A, pixel_size_A)
    candidates = picker.pick(vary(pixels if shape == pixels.shape else fourier_resize(pixels, shape)))
    x, y = resampled_to_source(candidates.x, candidates.y, shape, row.source_shape)
    off_junk = (
        np.ones(len(candidates), bool)
        if candidates.junk is None
        else ~kept_out(candidates.junk, keep_junk=False)
    )
    return Candidates(
        x[off_junk], y[off_junk], candidates.score[off_junk], more=take_columns(candidates.more, off_junk)
    )


def match_labels(source: LabelledRow, candidates: Candidates) -> ScoredMicrograph:
    """Return a micrograph's candidates, in pixels of the source, matched with its labels."""
    radius_px = source.radius_A / source.row.pixel_size_A
    is_judged = ~_is_unsure(np.column_stack([candidates.x, candidates.y]), source, radius_px)
    candidates = Candidates(candidates.x[is_judged], candidates.y[is_judged], candidates.score[is_judged])
    true_x, true_y = source.particles.T
    finds = match(candidates.x, candidates.y, candidates.score, true_x, true_y, radius_px)
    places = np.column_stack([candidates.x, candidates.y])
    offset = offsets(places, source.particles, finds, source.diameter_A / source.row.pixel_size_A)
    return ScoredMicrograph(source, candidates, finds >= 0, offset)


def _is_unsure(picks_px: NDArray[np.float32], source: LabelledRow, radius_px: float) -> NDArray[np.bool_]:
    """Mark those of ``(n, 2)`` picks that have an unsure place within the radius and no particle as near."""
    particle_px, unsure_px = (  # infinite where there are none
        np.asarray(cKDTree(centres).query(picks_px)[0]) for centres in (source.particles, source.unsure)
    )
    is_unsure: NDArray[np.bool_] = (unsure_px <= radius_px) & (unsure_px < particle_px)
    return is_unsure


def _ranked(micrograph: ScoredMicrograph, threshold: float) -> Ranked:
    picked = micrograph.candidates.score >= threshold
    return Ranked(
        micrograph.candidates.score,
        micrograph.is_hit,
        int(picked.sum()),
        int((micrograph.is_hit & picked).sum()),
        len(micrograph.source.particles),
        offset=micrograph.offset[picked[micrograph.is_hit]] if len(micrograph.offset) else micrograph.offset,
    )
