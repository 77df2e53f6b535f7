"""A picker on labelled micrographs: what it finds of them, and the score to cut at."""

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
from cryopick_ray.picks.columns import taken
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
        ``(h,)`` how far each that does is off its centre, in diameters; empty if nobody measured it.
    """

    source: LabelledRow
    candidates: Candidates
    is_hit: NDArray[np.bool_]
    offset: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))


def score_picker(picker: Picker, rows: Sequence[LabelledRow]) -> list[ScoredMicrograph]:
    """Pick labelled micrographs as ``cryopick run`` would, and match the candidates with the labels.

    Candidates at places that may hold a particle or not are left out: neither found nor false. So are those
    that the picker takes to lie on junk, which a run does not pick.
    """
    return [_try(picker, row) for row in rows]


def score(scored: Sequence[ScoredMicrograph], threshold: float | None = None) -> Score:
    """Return the pooled score of the candidates, picked from ``threshold`` up (all without one)."""
    return pooled_score([_ranked(one, -np.inf if threshold is None else threshold) for one in scored])


def ranking(scored: Sequence[ScoredMicrograph]) -> Curve:
    """Return precision and recall at every threshold."""
    return pooled_curve([_ranked(one, -np.inf) for one in scored])


def told(scored: Sequence[ScoredMicrograph]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the scores of all candidates, and which find a particle."""
    return (
        np.concatenate([one.candidates.score for one in scored]),
        np.concatenate([one.is_hit for one in scored]),
    )


def on_line(micrograph: ScoredMicrograph, line: Sequence[float]) -> ScoredMicrograph:
    """Return a micrograph's candidates with calibrated scores."""
    found = micrograph.candidates
    return replace(micrograph, candidates=replace(found, score=calibrated(found.score, line)))


def _try(picker: Picker, source: LabelledRow) -> ScoredMicrograph:
    return matched(source, found_by(picker, source))


def found_by(picker: Picker, source: LabelledRow, vary: Callable[[Image], Image] = unvaried) -> Candidates:
    """Return a picker's candidates of a micrograph in pixels of the source, but for those on junk.

    Parameters
    ----------
    vary
        Changes the grey values that the picker is given.
    """
    row = source.row
    pixels = MicrographStore(source.store_url).read(row) * np.float32(source.sign)
    pixel_size_A = working_pixel_size_A(source.diameter_A, picker.particle_px)
    shape = resampled_shape(row.source_shape, row.pixel_size_A, pixel_size_A)
    found = picker.pick(vary(pixels if shape == pixels.shape else fourier_resize(pixels, shape)))
    x, y = resampled_to_source(found.x, found.y, shape, row.source_shape)
    clear = np.ones(len(found), bool) if found.junk is None else ~kept_out(found.junk, keep_junk=False)
    return Candidates(x[clear], y[clear], found.score[clear], more=taken(found.more, clear))


def matched(source: LabelledRow, found: Candidates) -> ScoredMicrograph:
    """Return a micrograph's candidates, in pixels of the source, matched with its labels."""
    radius_px = source.radius_A / source.row.pixel_size_A
    counts = ~_is_unsure(np.column_stack([found.x, found.y]), source, radius_px)
    candidates = Candidates(found.x[counts], found.y[counts], found.score[counts])
    true_x, true_y = source.particles.T
    finds = match(candidates.x, candidates.y, candidates.score, true_x, true_y, radius_px)
    places = np.column_stack([candidates.x, candidates.y])
    offset = offsets(places, source.particles, finds, source.diameter_A / source.row.pixel_size_A)
    return ScoredMicrograph(source, candidates, finds >= 0, offset)


def _is_unsure(places: NDArray[np.float32], source: LabelledRow, radius_px: float) -> NDArray[np.bool_]:
    """Tell which of ``(n, 2)`` places have an unsure one within the radius, and no particle as near."""
    particle_px, unsure_px = (  # infinite where there are none
        np.asarray(cKDTree(centres).query(places)[0]) for centres in (source.particles, source.unsure)
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
