"""One model on one data set: ingest, pick and table as any run does, then the numbers."""

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
from cryopick_ray.evaluation.score import Ranked, pooled_curve, pooled_reliability, pooled_score
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import PickTable
from cryopick_ray.settings.cut_settings import CutSettings
from cryopick_ray.settings.run_settings import PickSettings
from cryopick_ray.stages.cut_table import table
from cryopick_ray.stages.flow import ingest
from cryopick_ray.stages.pick import pick
from cryopick_ray.suite.averaged_rows import FALSE, FOUND, PRECISION, RATIO, SECONDS, Measures, Result
from cryopick_ray.suite.cases import Case
from cryopick_ray.suite.clock import Clock
from cryopick_ray.suite.entrants import Entrant, LoadedModel
from cryopick_ray.suite.leakage import leakage
from cryopick_ray.units import working_pixel_size_A

CURVE_POINTS = 100


@dataclass(frozen=True)
class Measured:
    """What was measured of some micrographs: numbers, and points of recall and precision to be drawn."""

    measures: Measures
    curve: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Bench:
    """Where models are measured.

    Attributes
    ----------
    folder
        For stores, picks and tables.
    engine, device
        Who runs the work, and where networks run.
    events
        Told of every micrograph that a model has picked.
    said
        Notes that were passed on.
    """

    folder: Path
    engine: Engine
    device: str
    events: Events
    said: set[str] = field(default_factory=set)


def measure(entrant: Entrant, case: Case, bench: Bench) -> list[Result]:
    """Pick a data set with a model, as far as it has not been; score the picks, whole and in its parts."""
    reading, picking = (Clock(bench.events, bench.said, shown=shown) for shown in (False, True))
    try:
        model = entrant.model_for(case, bench.folder)
        return _measure(entrant, model, case, bench, reading, picking)
    except Exception as error:  # noqa: BLE001 - whatever one model does, the others go on
        return [_result(entrant, case, Measured({}), entrant.model, failure=str(error) or repr(error))]
    finally:
        if left := len(case.sources) - picking.done:  # done before, or failed
            bench.events.report("suite", UnitReport(complete=left))


def _measure(
    entrant: Entrant, model: LoadedModel, case: Case, bench: Bench, reading: Clock, picking: Clock
) -> list[Result]:
    name, kept = case.settings.name, bench.folder / "seconds.json"
    working_A = working_pixel_size_A(case.told_A, model.particle_px)
    store = f"stores/{name}-{working_A:.6g}A.zarr"
    store_url, picks_url = str(bench.folder / store), str(bench.folder / "picks" / name)
    ingest(case.sources, store_url, case.ingest(working_A), bench.engine, reading)
    reading_s = reading.median_s(kept, store)
    settings = PickSettings(model=model.weights, diameter_A=case.told_A, invert=case.settings.invert)
    digest = pick(store_url, picks_url, settings, bench.engine, picking, device=bench.device)
    picking_s = picking.median_s(kept, f"picks/{name}/{digest}")
    seconds = None if reading_s is None or picking_s is None else reading_s + picking_s
    out = bench.folder / "tables" / name / digest
    table(store_url, picks_url, digest, out, CutSettings())
    found = list(PickTable(out))
    failed = [one.micrograph for one in found if one.micrograph.status == "failed"]
    failure = ""
    if failed:
        failure = f"{len(failed)} of {len(found)} micrographs, {failed[0].micrograph_id}: {failed[0].reason}"
    if len(failed) == len(found):
        raise MicrographError(failure)
    whole, *of_parts = _scores(found, case)
    timed = replace(whole, measures={**whole.measures, SECONDS: seconds})
    result = _result(entrant, case, timed, model, failure=failure, picks=digest)
    return [
        result,
        *(
            replace(
                result,
                data=f"{case.name}, {part.name}",
                micrographs=len(part.micrograph_ids),
                measures=own.measures,
                curve=own.curve,
            )
            for part, own in zip(case.parts, of_parts, strict=True)
        ),
    ]


def _scores(found: list[MicrographPicks], case: Case) -> list[Measured]:
    """Return what is measured of the whole data set, then of each of its parts."""
    if case.truth is None:
        counted = false_picks(found)
        return [Measured(dict(zip(FALSE, (counted.mean, counted.median, counted.most), strict=True)))]
    stretch = np.float32(case.told_A / case.settings.diameter_A)  # to true diameters, whatever is told
    ranked = {
        name: replace(micrograph, offset=micrograph.offset * stretch)
        for name, micrograph in rank(found, case.truth, radius_A=case.radius_A).micrographs.items()
    }
    of_parts = [
        _score([ranked[micrograph_id] for micrograph_id in part.micrograph_ids]) for part in case.parts
    ]
    whole = _score(list(ranked.values()))
    return [replace(whole, measures={**whole.measures, **_first_to_last(of_parts)}), *of_parts]


def _score(ranked: list[Ranked]) -> Measured:
    pooled, reliable = asdict(pooled_score(ranked)), pooled_reliability(ranked)
    ranking = pooled_curve(ranked)
    pooled["recall_at_precision"] = ranking.recall_at(PRECISION)
    pooled["calibration_error"] = reliable and reliable.ece
    return Measured({name: pooled[name] for name in FOUND}, _points(ranking))


def _points(ranking: Curve) -> tuple[tuple[float, float], ...]:
    """Return recall and precision at some thresholds, evenly over the recall that is reached."""
    if not len(ranking.recall):
        return ()
    wanted = np.linspace(0, ranking.recall[-1], CURVE_POINTS)
    shown = np.unique(np.searchsorted(ranking.recall, wanted))
    rows = zip(ranking.recall[shown].tolist(), ranking.precision[shown].tolist(), strict=True)
    return tuple((round(recall, 4), round(precision, 4)) for recall, precision in rows)


def _first_to_last(parts: list[Measured]) -> Measures:
    """Return how the recall of the first part compares with that of the last."""
    if len(parts) < 2:
        return {}
    first, last = parts[0].measures["recall"], parts[-1].measures["recall"]
    return {RATIO: first / last if first is not None and last else None}


def _result(
    entrant: Entrant,
    case: Case,
    measured: Measured,
    model: LoadedModel | None,
    *,
    failure: str = "",
    picks: str = "",
) -> Result:
    return Result(
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
    )
