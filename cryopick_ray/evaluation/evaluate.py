"""A run's candidates against truth: how many particles were found, and how many picks are true."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.evaluation.comparable import Judged
from cryopick_ray.evaluation.curves import Curve
from cryopick_ray.evaluation.filament_score import LengthCurve
from cryopick_ray.evaluation.frame import FramePair, check_inside, other_frame
from cryopick_ray.evaluation.reliability import Reliability
from cryopick_ray.evaluation.score import (
    Ranked,
    Score,
    any_scored,
    pooled_curve,
    pooled_reliability,
    pooled_score,
)
from cryopick_ray.evaluation.truth import Centres, Truth
from cryopick_ray.picks.matching import match, offsets
from cryopick_ray.picks.reasons import Why, to_words
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.units import is_positive

CURVE_POINTS = 200


@dataclass(frozen=True)
class MicrographScore:
    """One micrograph's score; a failed one has no picks and missed every particle."""

    micrograph_id: str
    failed: bool
    score: Score


@dataclass(frozen=True)
class CurvePoint:
    """Precision and recall of the candidates with a score of at least ``threshold``."""

    threshold: float
    precision: float
    recall: float


@dataclass(frozen=True)
class Evaluation:
    """What :func:`evaluate` measured.

    Attributes
    ----------
    radius_A
        Largest distance of a pick to the particle it finds; ``None``: half of each diameter.
    pooled
        All candidates of all micrographs in one ranking.
    micrographs
        Each micrograph that has truth, in the table's order.
    curve
        Pooled precision and recall, best scores first, at most 200 points.
    notes
        What was left out or counted as missed, for a person.
    reliability
        Whether a score of s means that a share s of the candidates are particles; ``None`` where scores are
        not from 0 to 1, or there are none.
    """

    radius_A: float | None
    pooled: Score
    micrographs: tuple[MicrographScore, ...]
    curve: tuple[CurvePoint, ...]
    notes: tuple[str, ...]
    reliability: Reliability | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists, numbers and words, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Ranking:
    """Candidates that were compared with truth, before they are counted.

    Attributes
    ----------
    micrographs
        Each micrograph that has truth by its id, in the order of the picks.
    notes
        What was left out or counted as missed, for a person.
    """

    micrographs: Mapping[str, Ranked]
    notes: tuple[str, ...]


def evaluate(
    picks: Iterable[MicrographPicks],
    truth: Truth,
    *,
    radius_A: float | None = None,
    exclude: Sequence[str] = (),
) -> Evaluation:
    """Compare candidates with truth, per micrograph and pooled.

    The run's picks are matched by themselves, so they need not be the best candidates. What is kept out for
    lying on junk claims nothing: it is neither pick nor candidate, in AUPRC too, and particles there count as
    missed. Micrographs without truth are left out; the particles of a failed micrograph count as missed.

    Parameters
    ----------
    picks
        A run's micrographs.
    truth
        True particles (:func:`cryopick_ray.evaluation.truth.read_truth`).
    radius_A
        Largest distance of a pick to its particle, in angstroms; half a diameter if ``None``.
    exclude
        Globs of micrograph ids to leave out, such as under-labelled ones.

    Raises
    ------
    UsageError
        If the radius is not positive or no micrograph has truth.
    PicksError
        If one truth fits two micrographs.
    """
    ranking = rank(picks, truth, radius_A=radius_A, exclude=exclude)
    ranked = list(ranking.micrographs.values())
    return Evaluation(
        radius_A=radius_A,
        pooled=pooled_score(ranked),
        micrographs=tuple(
            MicrographScore(name, micrograph.failed, pooled_score([micrograph]))
            for name, micrograph in ranking.micrographs.items()
        ),
        curve=curve_points(pooled_curve(ranked)) if any_scored(ranked) else (),
        notes=ranking.notes,
        reliability=pooled_reliability(ranked),
    )


def rank(
    picks: Iterable[MicrographPicks],
    truth: Truth,
    *,
    radius_A: float | None = None,
    exclude: Sequence[str] = (),
) -> Ranking:
    """Match candidates with truth as :func:`evaluate` does, which takes and refuses the same."""
    if radius_A is not None and not is_positive(radius_A):
        raise UsageError(f"matching radius is {radius_A} A; give `radius_A` a positive length in angstroms")
    judged = Judged(truth, exclude)
    ranked: dict[str, Ranked] = {}
    pairs: list[FramePair] = []
    for one, name in judged.of(picks):
        micrograph_id = one.micrograph.micrograph_id
        centres = truth.centres(name, one.micrograph.shape)
        ranked[micrograph_id], pair = _rank(one, centres, radius_A)
        if pair is not None:
            _check(pair, micrograph_id, truth)
            pairs.append(pair)
    return Ranking(ranked, (*judged.notes(), *_doubts(list(ranked.values()), pairs)))


def _check(pair: FramePair, micrograph_id: str, truth: Truth) -> None:
    """Refuse particles so far outside that no pick could find them."""
    if pair.shape is not None:
        said = f"particles of {micrograph_id} in {truth.source}"
        check_inside(pair.truth, pair.shape, said, margin_px=pair.radius_px)


def _doubts(ranked: Sequence[Ranked], pairs: Sequence[FramePair]) -> list[str]:
    """Return what a person should know of how well picks and truth go together."""
    doubts = []
    if kept_out := sum(one.n_kept_out for one in ranked):
        why = to_words(np.bitwise_or.reduce([[one.kept_out_by] for one in ranked]).astype(np.uint16))[0]
        doubts.append(
            f"{kept_out} candidates are left out whatever their score ({why}) and count as none; particles "
            "there are missed"
        )
    if not any_scored(ranked):
        doubts.append(
            "picks have no scores: they cannot be ranked, so there is no AUPRC and no best threshold"
        )
    if words := other_frame(pairs):
        doubts.append(f"true particles fit the picks far better {words}")
    return doubts


def _rank(
    picks: MicrographPicks, centres: Centres, radius_A: float | None
) -> tuple[Ranked, FramePair | None]:
    if picks.micrograph.status != "complete":
        return Ranked(np.empty(0, np.float32), np.empty(0, bool), 0, 0, len(centres), failed=True), None
    pixel_size_A = picks.micrograph.pixel_size_A
    if pixel_size_A is None:
        raise PicksError(
            f"{picks.micrograph.micrograph_id!r} has no pixel size in the table; make the table again"
        )
    radius_px = (picks.diameter_A / 2 if radius_A is None else radius_A) / pixel_size_A
    true_x, true_y = centres.T
    free = ~picks.is_kept_out
    x, y, picked, score = picks.x_px[free], picks.y_px[free], picks.picked[free], picks.score[free]
    is_scored = not len(x) or not np.isnan(score).all()
    score = np.nan_to_num(score, nan=float(np.finfo(np.float32).min) if is_scored else 0.0)
    is_hit = match(x, y, score, true_x, true_y, radius_px) >= 0
    finds = match(x[picked], y[picked], score[picked], true_x, true_y, radius_px)
    pair = FramePair(np.column_stack([x[picked], y[picked]]), centres, picks.micrograph.shape, radius_px)
    ranked = Ranked(
        score,
        is_hit,
        len(pair.picks),
        int((finds >= 0).sum()),
        len(centres),
        scored=is_scored,
        n_kept_out=int((~free).sum()),
        kept_out_by=int(np.bitwise_or.reduce(picks.unpicked[~free] & ~np.uint16(Why.BELOW_THRESHOLD))),
        offset=offsets(pair.picks, centres, finds, picks.diameter_A / pixel_size_A),
    )
    return ranked, pair


def curve_points(ranking: Curve | LengthCurve) -> tuple[CurvePoint, ...]:
    """Return a curve as at most 200 points."""
    n = len(ranking.threshold)
    shown = np.unique(np.linspace(0, n - 1, min(n, CURVE_POINTS)).round().astype(np.intp))
    rows = zip(ranking.threshold[shown], ranking.precision[shown], ranking.recall[shown], strict=True)
    return tuple(CurvePoint(*map(float, row)) for row in rows)
