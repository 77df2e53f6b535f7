"""A run's filaments against true ones: how much of them was found, and whether each is one."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.evaluation.comparable import Judged
from cryopick_ray.evaluation.evaluate import CurvePoint, curve_points
from cryopick_ray.evaluation.filament_score import (
    ComparedFilaments,
    FilamentScore,
    pooled_curve,
    pooled_score,
)
from cryopick_ray.evaluation.frame import check_inside
from cryopick_ray.evaluation.traces import crossings, follow
from cryopick_ray.evaluation.truth import FILAMENT, Truth
from cryopick_ray.filaments.segments import traces_of
from cryopick_ray.filaments.trace import Trace
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.units import is_positive


@dataclass(frozen=True)
class MicrographFilaments:
    """One micrograph's score; a failed one has no filaments and missed all of them."""

    micrograph_id: str
    failed: bool
    score: FilamentScore


@dataclass(frozen=True)
class FilamentEvaluation:
    """What :func:`evaluate_filaments` measured.

    Attributes
    ----------
    radius_A
        Largest distance of a found axis from a true one; ``None``: half of each width.
    pooled
        All micrographs taken together.
    micrographs
        Each micrograph that has truth, in the table's order.
    curve
        Pooled precision and recall by length, best scores first, at most 200 points.
    notes
        What was left out or counted as missed, for a person.
    """

    radius_A: float | None
    pooled: FilamentScore
    micrographs: tuple[MicrographFilaments, ...]
    curve: tuple[CurvePoint, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, numbers and words, ready for JSON."""
        return asdict(self)


def has_filaments(picks: Iterable[MicrographPicks]) -> bool | None:
    """Tell whether candidates are segments of filaments, by the first of them; ``None`` without any."""
    first = next((one for one in picks if len(one)), None)
    if first is None:
        return None
    return FILAMENT in first.more and bool((first.more[FILAMENT] >= 0).any())


def evaluate_filaments(
    picks: Iterable[MicrographPicks],
    truth: Truth,
    *,
    radius_A: float | None = None,
    exclude: Sequence[str] = (),
) -> FilamentEvaluation:
    """Compare filaments with true ones, per micrograph and pooled.

    Takes and refuses what :func:`cryopick_ray.evaluation.evaluate.evaluate` does. Filaments are the lines
    through their segments, candidates those whose segments are not kept out whatever their score.
    """
    if radius_A is not None and not is_positive(radius_A):
        raise UsageError(f"matching radius is {radius_A} A; give `radius_A` a positive length in angstroms")
    judged = Judged(truth, exclude)
    compared: dict[str, ComparedFilaments] = {}
    failed = set()
    for one, name in judged.of(picks):
        compared[one.micrograph.micrograph_id] = compare(one, truth, name, radius_A)
        if one.micrograph.status != "complete":
            failed.add(one.micrograph.micrograph_id)
    every = list(compared.values())
    is_scored = any(one.scored for one in every)
    unscored = "filaments have no scores: they cannot be ranked, so there is no AUPRC and no best threshold"
    return FilamentEvaluation(
        radius_A=radius_A,
        pooled=pooled_score(every),
        micrographs=tuple(
            MicrographFilaments(name, name in failed, pooled_score([one])) for name, one in compared.items()
        ),
        curve=curve_points(pooled_curve(every)) if is_scored else (),
        notes=judged.notes() if is_scored else (*judged.notes(), unscored),
    )


def compare(picks: MicrographPicks, truth: Truth, name: str, radius_A: float | None) -> ComparedFilaments:
    """Compare one micrograph's filaments with those that the truth calls ``name``; a failed one has none."""
    about = picks.micrograph
    true = truth.traces(name, about.shape)
    pixel_size_A = about.pixel_size_A
    if about.status == "complete" and pixel_size_A is None:
        raise PicksError(f"{about.micrograph_id!r} has no pixel size in the table; make the table again")
    pixel_size_A = pixel_size_A or 1.0  # of a failed one, where lengths in widths are all that is asked
    width_px = picks.diameter_A / pixel_size_A
    radius_px = width_px / 2 if radius_A is None else radius_A / pixel_size_A
    if about.shape is not None and true:
        said = f"segments of {about.micrograph_id} in {truth.source}"
        places = np.concatenate([trace.points for trace in true])
        check_inside(places, about.shape, said, margin_px=width_px)
    candidates, picked = (_traces(picks, keep) for keep in (~picks.is_kept_out, picks.picked))
    ranked = follow(candidates, true, width_px, radius_px)
    chosen = follow(picked, true, width_px, radius_px)
    score = np.array([trace.score for trace in candidates])
    is_scored = not len(score) or not np.isnan(score).all()
    score = np.nan_to_num(score, nan=float(np.finfo(np.float32).min) if is_scored else 0.0)
    true_score, which = np.unique(np.append(score, -np.inf)[ranked.best], return_inverse=True)
    return ComparedFilaments(
        score=score,
        length=ranked.length,
        hit_length=ranked.hit_length,
        true_score=true_score,
        true_length=np.bincount(which, ranked.true_length, len(true_score)).astype(np.float64),
        n_found=len(picked),
        found_length=float(chosen.length.sum()),
        found_hit_length=float(chosen.hit_length.sum()),
        covered_length=float(chosen.true_length[chosen.best >= 0].sum()),
        n_truth=len(true),
        crossings=crossings(true, width_px),
        breaks=chosen.breaks,
        false_joins=chosen.false_joins,
        bridges=chosen.bridges,
        angle_deg=chosen.angle_deg,
        offset=chosen.offset,
        scored=is_scored,
    )


def _traces(picks: MicrographPicks, keep: NDArray[np.bool_]) -> list[Trace]:
    """Return the filaments of those candidates that are segments of one."""
    if FILAMENT not in picks.more or picks.micrograph.status != "complete":
        return []
    some = picks.take(keep & (picks.more[FILAMENT] >= 0))
    track = some.more.get("track_A")
    return traces_of(some.x_px, some.y_px, some.more[FILAMENT], track, some.score)
