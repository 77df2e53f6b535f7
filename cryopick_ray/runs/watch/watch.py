"""``cryopick watch``: micrographs are picked within seconds of their arrival, results are kept up to date."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events, SilentEvents
from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.errors import CryoPickError, UsageError
from cryopick_ray.formats.mask_names import check_masks
from cryopick_ray.micrographs.live import LiveFolders
from cryopick_ray.micrographs.sources import list_sources
from cryopick_ray.passes.named_files import check_files
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import PickTable
from cryopick_ray.runs.empiar_run import is_archive
from cryopick_ray.runs.pipeline import (
    RunPlan,
    Timings,
    estimate_diameter,
    prepare_stages,
    silent,
    with_diameter,
)
from cryopick_ray.runs.results.run_results import write_results
from cryopick_ray.runs.results.run_table import make_run_table
from cryopick_ray.runs.results.run_warnings import WarningCollector
from cryopick_ray.runs.results.summary import Summary
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.runs.watch.drift import PickStatistics, diameter_drift, drift
from cryopick_ray.runs.watch.rolling_results import RollingResults
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.stages.cut_table import check_cut
from cryopick_ray.stages.find_diameter import SAMPLED, find_diameter, keep_diameter
from cryopick_ray.stages.flow import flow
from cryopick_ray.stages.ingest import probe
from cryopick_ray.stages.pick import described_picker
from cryopick_ray.store.manifest import complete_ids, read_manifest
from cryopick_ray.store.store import MicrographStore

STOP = "stop"
"""A file of this name in the run's folder ends watching."""
LOOK_EVERY, LOOKED_AT = 200, 4
"""Micrographs between two estimates of the diameter, and how many of the last ones are measured."""
FIRST_SECONDS = 60.0
"""Idle seconds after which the diameter is estimated from fewer micrographs than wanted."""
WAIT_SECONDS = 0.5
"""Poll interval until the first micrographs arrive."""


@dataclass(frozen=True)
class StopCondition:
    """When watching ends by itself: after a number of micrographs or an idle time; ``None``: never."""

    micrographs: int | None = None
    idle_seconds: float | None = None


def watch(
    settings: RunSettings,
    engine: EngineSettings,
    folder: RunFolder,
    *,
    resume: bool,
    until: StopCondition,
    events: Events,
) -> Summary:
    """Pick micrographs as they arrive in folders, until a stop file, an interrupt or ``until`` ends it.

    Table, coordinates, report and summary are renewed at intervals and at the end. A file is taken once it
    stops growing, and again when it was rewritten; a renamed or copied file counts once, a vanished one
    not at all, and the table notes it.

    Raises
    ------
    UsageError
        If the folder holds a run and ``resume`` is not asked for, or a setting cannot be used.
    """
    if elsewhere := [text for text in settings.inputs if "://" in text or is_archive([text])]:
        raise UsageError(f"`inputs` {elsewhere[0]!r} is no folder of this machine, which can be watched")
    if folder.download is None:
        raise UsageError(
            f"`out` {folder.where} is a bucket; a run that watches needs a folder of this machine"
        )
    check_masks(settings.masks)
    check_files(settings.selection)
    events = collector = WarningCollector(events)
    folder.check_free(resume=resume)
    stop = folder.path / STOP
    before = complete_ids(folder.store)
    live = LiveFolders(
        lambda taken, leave_out: list_sources(
            settings.inputs,
            **settings.which,
            taken={*before, *taken},
            is_whole=False,
            say=silent,
            leave_out=leave_out,
        ),
        most=until.micrographs,
        say=events.warn,
    )
    stop.unlink(missing_ok=True)
    timings = Timings()
    with ExitStack() as stack:
        first = _plan_of_first(settings, engine, live, stop, until, events)
        if settings.diameter_A is not None:
            stack.enter_context(folder.claim(first.settings, resume=resume))
        with timings.stage("start-up"):
            runner = stack.enter_context(open_engine(engine, threads=settings.threads))
        if settings.diameter_A is None:
            with timings.stage("diameter"):
                diameter = estimate_diameter(runner, first, events)
            first = with_diameter(first, diameter)
            stack.enter_context(folder.claim(first.settings, resume=resume))
            keep_diameter(folder.diameter, diameter)
        with timings.stage("ingest and pick"):
            digest = _pick_arrivals(runner, first, folder, live, until, events)
        stop.unlink(missing_ok=True)
        with timings.stage("table"):
            thresholds = make_run_table(first.settings, folder, digest)
        return write_results(first.settings, folder, digest, thresholds, timings.seconds, collector.warnings)


def _plan_of_first(
    settings: RunSettings,
    engine: EngineSettings,
    live: LiveFolders,
    stop: Path,
    until: StopCondition,
    events: Events,
) -> RunPlan:
    """Wait for the first micrographs; return the plan of a run on them."""
    picker = described_picker(settings)
    check_cut(settings.cut, picker.name, calibrated=picker.calibrated)
    plan = RunPlan(settings, engine, (), (), picker.particle_px)
    wanted = 1 if settings.diameter_A is not None else min(SAMPLED, until.micrographs or SAMPLED)
    events.note(f"watching {', '.join(settings.inputs)}; a file {stop} ends it")
    while True:
        live.scan()
        arrived = live.settled()
        if len(arrived) >= wanted or (arrived and live.idle_seconds > FIRST_SECONDS):
            break
        is_idle = until.idle_seconds is not None and live.idle_seconds > until.idle_seconds
        if is_idle or stop.exists():
            stop.unlink(missing_ok=True)
            if arrived:
                break
            raise UsageError(f"no micrographs came into {', '.join(settings.inputs)}; nothing was begun")
        time.sleep(WAIT_SECONDS)
    plan = replace(plan, sources=arrived[:wanted], sample=arrived[:wanted])
    probe(plan.sample, settings.ingest(None))
    return plan


def _pick_arrivals(
    engine: Engine, plan: RunPlan, folder: RunFolder, live: LiveFolders, until: StopCondition, events: Events
) -> str:
    """Pick arriving micrographs until the end; return the digest of the picks."""
    intake, picking = prepare_stages(engine, plan, folder, events)
    rolling = RollingResults(_ResultsRenewal(plan, folder, picking.digest, live), events)

    def pulse() -> None:
        is_idle = until.idle_seconds is not None and live.idle_seconds > until.idle_seconds
        if is_idle or (folder.path / STOP).exists():
            live.stop()
        rolling.turn()

    try:
        flow(live, intake, picking, engine, rolling, one_each=True, pulse=pulse)
    except KeyboardInterrupt:
        events.note("told to end: what was begun is kept")
    finally:
        rolling.close()
    return picking.digest


class _ResultsRenewal:
    """Renews table, coordinates, report and summary, and checks the last micrographs for drift."""

    def __init__(self, plan: RunPlan, folder: RunFolder, digest: str, live: LiveFolders) -> None:
        self._plan, self._folder, self._digest, self._live = plan, folder, digest, live
        self._next_look = LOOK_EVERY

    def __call__(self) -> list[str]:
        """Renew the results; return warnings about drift."""
        folder, began = self._folder, time.perf_counter()
        thresholds = make_run_table(self._plan.settings, folder, self._digest)
        seconds = {"results": time.perf_counter() - began}
        write_results(self._plan.settings, folder, self._digest, thresholds, seconds)
        rows = read_manifest(MicrographStore(folder.store).place)
        picked = [picks for picks in PickTable(folder.table) if picks.micrograph.status == "complete"]
        names = [picks.micrograph.micrograph_id for picks in picked]
        order = sorted(
            range(len(names)), key=lambda index: (rows[names[index]].source_mtime_ns or 0, names[index])
        )
        lines = drift([_statistics(picked[index]) for index in order])
        if len(order) >= self._next_look:
            self._next_look = len(order) + LOOK_EVERY
            lines += self._diameter([names[index] for index in order[-LOOKED_AT:]])
        return [f"drift: {line}" for line in lines]

    def _diameter(self, micrograph_ids: Sequence[str]) -> list[str]:
        settings = self._plan.settings
        try:
            estimate = find_diameter(
                self._live.sources(micrograph_ids),
                settings.ingest(None),
                invert=settings.invert,
                device="cpu",
                engine=SerialEngine(),
                events=SilentEvents(),
            )
        except CryoPickError:  # nothing measurable: counts and scores show it
            return []
        return diameter_drift(settings.pick.diameter_A, estimate.diameter_A) if estimate.is_sure else []


def _statistics(picks: MicrographPicks) -> PickStatistics:
    score = float(median(picks.score[picks.picked].tolist())) if picks.picked.any() else 0.0
    return PickStatistics(int(picks.picked.sum()), score)
