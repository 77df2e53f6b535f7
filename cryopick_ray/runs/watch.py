"""A run that goes on while micrographs come: picked within seconds, its results kept up to date."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events, Silence
from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.errors import CryoPickError, UsageError
from cryopick_ray.formats.mask_names import check_masks
from cryopick_ray.micrographs.live import LiveFolders
from cryopick_ray.micrographs.sources import list_sources
from cryopick_ray.passes.named_files import check_files
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import PickTable
from cryopick_ray.runs.drift import Seen, diameter_drift, drift
from cryopick_ray.runs.empiar_run import is_archive
from cryopick_ray.runs.pipeline import (
    RunPlan,
    Timings,
    look,
    prepared,
    silent,
    with_diameter,
)
from cryopick_ray.runs.results import Summary, write_results
from cryopick_ray.runs.rolling import Rolling
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.runs.tables import gather
from cryopick_ray.runs.warnings import Heard
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
"""A file of this name in the run's folder ends it."""
LOOK_EVERY, LOOKED_AT = 200, 4
"""Micrographs after which the diameter is estimated once more, and how many of the last ones tell it."""
FIRST_SECONDS = 60.0
"""Without another micrograph before a diameter is estimated from fewer than it could be."""
WAIT_SECONDS = 0.5
"""Between two looks for the first micrographs."""


@dataclass(frozen=True)
class Until:
    """When watching ends by itself: after so many micrographs, or so long without any; else never."""

    micrographs: int | None = None
    idle_seconds: float | None = None


def watch(
    settings: RunSettings,
    engine: EngineSettings,
    folder: RunFolder,
    *,
    resume: bool,
    until: Until,
    events: Events,
) -> Summary:
    """Pick what comes into folders until a stop file, an interrupt or ``until`` ends it.

    Table, coordinates, report and summary are made anew now and then, and at the end. A file is taken once it
    has stood still, and again once it was rewritten; one that was renamed, copied or has vanished counts once
    or not at all, and that is kept in the table.

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
    events = heard = Heard(events)
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
        first = _first(settings, engine, live, stop, until, events)
        if settings.diameter_A is not None:
            stack.enter_context(folder.claim(first.settings, resume=resume))
        with timings.stage("start-up"):
            runner = stack.enter_context(open_engine(engine, threads=settings.threads))
        if settings.diameter_A is None:
            with timings.stage("diameter"):
                found = look(runner, first, events)
            first = with_diameter(first, found)
            stack.enter_context(folder.claim(first.settings, resume=resume))
            keep_diameter(folder.diameter, found)
        with timings.stage("ingest and pick"):
            digest = _watched(runner, first, folder, live, until, events)
        stop.unlink(missing_ok=True)
        with timings.stage("table"):
            thresholds = gather(first.settings, folder, digest)
        return write_results(first.settings, folder, digest, thresholds, timings.seconds, heard.warnings)


def _first(
    settings: RunSettings,
    engine: EngineSettings,
    live: LiveFolders,
    stop: Path,
    until: Until,
    events: Events,
) -> RunPlan:
    """Wait for the first micrographs; return the plan of a run that begins with them."""
    picker = described_picker(settings)
    check_cut(settings.cut, picker.name, calibrated=picker.calibrated)
    made = RunPlan(settings, engine, (), (), picker.particle_px)
    wanted = 1 if settings.diameter_A is not None else min(SAMPLED, until.micrographs or SAMPLED)
    events.note(f"watching {', '.join(settings.inputs)}; a file {stop} ends it")
    while True:
        live.look()
        came = live.settled()
        if len(came) >= wanted or (came and live.idle_seconds > FIRST_SECONDS):
            break
        is_idle = until.idle_seconds is not None and live.idle_seconds > until.idle_seconds
        if is_idle or stop.exists():
            stop.unlink(missing_ok=True)
            if came:
                break
            raise UsageError(f"no micrographs came into {', '.join(settings.inputs)}; nothing was begun")
        time.sleep(WAIT_SECONDS)
    made = replace(made, sources=came[:wanted], sample=came[:wanted])
    probe(made.sample, settings.ingest(None))
    return made


def _watched(
    engine: Engine, plan: RunPlan, folder: RunFolder, live: LiveFolders, until: Until, events: Events
) -> str:
    """Pick what comes until the end; return the digest of the picks."""
    intake, picking = prepared(engine, plan, folder, events)
    rolling = Rolling(_Results(plan, folder, picking.digest, live), events)

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


class _Results:
    """Makes table, coordinates, report and summary anew, and holds the last micrographs against the first."""

    def __init__(self, plan: RunPlan, folder: RunFolder, digest: str, live: LiveFolders) -> None:
        self._plan, self._folder, self._digest, self._live = plan, folder, digest, live
        self._next_look = LOOK_EVERY

    def __call__(self) -> list[str]:
        """Return what a person should look at."""
        folder, began = self._folder, time.perf_counter()
        thresholds = gather(self._plan.settings, folder, self._digest)
        seconds = {"results": time.perf_counter() - began}
        write_results(self._plan.settings, folder, self._digest, thresholds, seconds)
        rows = read_manifest(MicrographStore(folder.store).place)
        picked = [one for one in PickTable(folder.table) if one.micrograph.status == "complete"]
        names = [one.micrograph.micrograph_id for one in picked]
        order = sorted(range(len(names)), key=lambda at: (rows[names[at]].source_mtime_ns or 0, names[at]))
        lines = drift([_seen(picked[at]) for at in order])
        if len(order) >= self._next_look:
            self._next_look = len(order) + LOOK_EVERY
            lines += self._diameter([names[at] for at in order[-LOOKED_AT:]])
        return [f"drift: {line}" for line in lines]

    def _diameter(self, micrograph_ids: Sequence[str]) -> list[str]:
        settings = self._plan.settings
        try:
            found = find_diameter(
                self._live.sources(micrograph_ids),
                settings.ingest(None),
                invert=settings.invert,
                device="cpu",
                engine=SerialEngine(),
                events=Silence(),
            )
        except CryoPickError:  # nothing to be seen: their counts and scores tell it
            return []
        return diameter_drift(settings.pick.diameter_A, found.diameter_A) if found.is_sure else []


def _seen(picks: MicrographPicks) -> Seen:
    score = float(median(picks.score[picks.picked].tolist())) if picks.picked.any() else 0.0
    return Seen(int(picks.picked.sum()), score)
