"""Measurement of a model on a data set: ingest, pick and table as in a run, then scores."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.errors import MicrographError
from cryopick_ray.evaluation.curves import Curve
from cryopick_ray.evaluation.empty import false_picks
from cryopick_ray.evaluation.evaluate import rank
from cryopick_ray.evaluation.filament_evaluation import evaluate_filaments
from cryopick_ray.evaluation.score import Ranked, pooled_curve, pooled_reliability, pooled_score
from cryopick_ray.evaluation.truth import Truth
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import PickTable
from cryopick_ray.settings.cut_settings import CutSettings
from cryopick_ray.settings.run_settings import PickSettings
from cryopick_ray.stages.cut_table import table
from cryopick_ray.stages.flow import ingest
from cryopick_ray.stages.pick import pick
from cryopick_ray.suite.averaged_rows import (
    FALSE,
    FOUND,
    FOUND_FILAMENTS,
    PRECISION,
    RATIO,
    SECONDS,
    CaseResult,
    Measures,
)
from cryopick_ray.suite.cases import Case
from cryopick_ray.suite.clock import StageClock
from cryopick_ray.suite.entrants import Entrant, LoadedModel
from cryopick_ray.suite.leakage import leakage
from cryopick_ray.units import working_pixel_size_A

CURVE_POINTS = 100


@dataclass(frozen=True)
class Measurement:
    """Measures of some micrographs, and points of their curve of recall and precision."""

    measures: Measures
    curve: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class SuiteContext:
    """Folder, engine, device and events of a suite.

    Attributes
    ----------
    folder
        For stores, picks and tables.
    engine, device
        Engine of the work, and device of the networks.
    events
        Get every micrograph that a model has picked.
    notes
        Notes that were passed on.
    """

    folder: Path
    engine: Engine
    device: str
    events: Events
    notes: set[str] = field(default_factory=set)


def measure(entrant: Entrant, case: Case, context: SuiteContext) -> list[CaseResult]:
    """Pick a data set with a model, unless that is done; score the picks of the whole and of its parts."""
    reading, picking = (StageClock(context.events, context.notes, shown=shown) for shown in (False, True))
    try:
        model = entrant.model_for(case, context.folder)
        return _measure(entrant, model, case, context, reading, picking)
    except Exception as error:  # noqa: BLE001 - the other models go on
        return [_result(entrant, case, Measurement({}), entrant.model, failure=str(error) or repr(error))]
    finally:
        if left := len(case.sources) - picking.done:  # done before, or failed
            context.events.report("suite", UnitReport(complete=left))


def _measure(
    entrant: Entrant,
    model: LoadedModel,
    case: Case,
    context: SuiteContext,
    reading: StageClock,
    picking: StageClock,
) -> list[CaseResult]:
    name, kept = case.settings.name, context.folder / "seconds.json"
    working_A = working_pixel_size_A(case.stated_diameter_A, model.particle_px)
    store = f"stores/{name}-{working_A:.6g}A.zarr"
    store_url, picks_url = str(context.folder / store), str(context.folder / "picks" / name)
    ingest(case.sources, store_url, case.ingest(working_A), context.engine, reading)
    reading_s = reading.median_s(kept, store)
    settings = PickSettings(
        model=model.weights, diameter_A=case.stated_diameter_A, invert=case.settings.invert
    )
    digest = pick(store_url, picks_url, settings, context.engine, picking, device=context.device)
    picking_s = picking.median_s(kept, f"picks/{name}/{digest}")
    seconds = None if reading_s is None or picking_s is None else reading_s + picking_s
    out = context.folder / "tables" / name / digest
    table(store_url, picks_url, digest, out, CutSettings())
    picked = list(PickTable(out))
    failed = [picks.micrograph for picks in picked if picks.micrograph.status == "failed"]
    failure = ""
    if failed:
        failure = f"{len(failed)} of {len(picked)} micrographs, {failed[0].micrograph_id}: {failed[0].reason}"
    if len(failed) == len(picked):
        raise MicrographError(failure)
    whole, *of_parts = _scores(picked, case)
    timed = replace(whole, measures={**whole.measures, SECONDS: seconds})
    result = _result(entrant, case, timed, model, failure=failure, picks=digest)
    return [
        result,
        *(
            replace(
                result,
                data=f"{case.name}, {part.name}",
                micrographs=len(part.micrograph_ids),
                measures=measured_part.measures,
                curve=measured_part.curve,
            )
            for part, measured_part in zip(case.parts, of_parts, strict=True)
        ),
    ]


def _scores(micrographs: list[MicrographPicks], case: Case) -> list[Measurement]:
    """Return the measurements of the whole data set, then of each of its parts."""
    if case.truth is None:
        counted = false_picks(micrographs)
        return [Measurement(dict(zip(FALSE, (counted.mean, counted.median, counted.most), strict=True)))]
    of_each = _of_filaments if case.of_filaments else _of_particles
    whole, *of_parts = of_each(micrographs, case, case.truth)
    return [replace(whole, measures={**whole.measures, **_first_to_last(of_parts)}), *of_parts]


def _of_particles(micrographs: list[MicrographPicks], case: Case, truth: Truth) -> list[Measurement]:
    stretch = np.float32(case.stated_diameter_A / case.settings.diameter_A)  # to true diameters
    ranked = {
        name: replace(micrograph, offset=micrograph.offset * stretch)
        for name, micrograph in rank(micrographs, truth, radius_A=case.radius_A).micrographs.items()
    }
    names = [list(ranked), *(part.micrograph_ids for part in case.parts)]
    return [_score([ranked[name] for name in some]) for some in names]


def _of_filaments(micrographs: list[MicrographPicks], case: Case, truth: Truth) -> list[Measurement]:
    stretch = case.stated_diameter_A / case.settings.diameter_A
    measurements = []
    for part in (None, *case.parts):
        some = [one for one in micrographs if not part or one.micrograph.micrograph_id in part.micrograph_ids]
        found = evaluate_filaments(some, truth, radius_A=case.radius_A)
        measures = {name: getattr(found.pooled, name) for name in FOUND_FILAMENTS}
        if measures["offset"] is not None:
            measures["offset"] *= stretch
        curve = tuple((round(point.recall, 4), round(point.precision, 4)) for point in found.curve)
        measurements.append(Measurement(measures, curve))
    return measurements


def _score(ranked: list[Ranked]) -> Measurement:
    pooled, reliable = asdict(pooled_score(ranked)), pooled_reliability(ranked)
    ranking = pooled_curve(ranked)
    pooled["recall_at_precision"] = ranking.recall_at(PRECISION)
    pooled["calibration_error"] = reliable and reliable.ece
    return Measurement({name: pooled[name] for name in FOUND}, _points(ranking))


def _points(ranking: Curve) -> tuple[tuple[float, float], ...]:
    """Return recall and precision at some thresholds, evenly over the recall that is reached."""
    if not len(ranking.recall):
        return ()
    recalls = np.linspace(0, ranking.recall[-1], CURVE_POINTS)
    shown = np.unique(np.searchsorted(ranking.recall, recalls))
    rows = zip(ranking.recall[shown].tolist(), ranking.precision[shown].tolist(), strict=True)
    return tuple((round(recall, 4), round(precision, 4)) for recall, precision in rows)


def _first_to_last(parts: list[Measurement]) -> Measures:
    """Return how the recall of the first part compares with that of the last."""
    if len(parts) < 2:
        return {}
    first, last = parts[0].measures["recall"], parts[-1].measures["recall"]
    return {RATIO: first / last if first is not None and last else None}


def _result(
    entrant: Entrant,
    case: Case,
    measured: Measurement,
    model: LoadedModel | None,
    *,
    failure: str = "",
    picks: str = "",
) -> CaseResult:
    return CaseResult(
        data=case.name,
        group=case.group,
        model=entrant.name,
        seed=entrant.weights,
        is_empty=case.is_empty,
        micrographs=len(case.sources),
        measures=measured.measures,
        overlap=leakage(model.trained_on if model else None, case.settings.name, case.molecule),
        failure=failure,
        picks=picks,
        is_labelled=case.truth is not None or case.is_empty,
        labels=case.labelled_by,
        curve=measured.curve,
        of_filaments=case.of_filaments,
    )
