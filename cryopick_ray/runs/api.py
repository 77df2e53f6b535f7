"""The Python interface to runs: run, resume, plan, self_train; the command line calls the same functions."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryopick_ray.engine.events import Events, SilentEvents
from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.errors import UsageError
from cryopick_ray.runs.pipeline import Timings, estimate_diameter, pick_all, plan_again, run_on, with_diameter
from cryopick_ray.runs.pipeline import plan as check
from cryopick_ray.runs.results.run_results import write_results
from cryopick_ray.runs.results.summary import Summary
from cryopick_ray.runs.run_folder import PathOrUrl, RunFolder
from cryopick_ray.settings.config import load_settings, merged, migrated, read_yaml, rooted
from cryopick_ray.settings.cut_settings import CUTS
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.settings.run_settings import RunSettings

if TYPE_CHECKING:
    from cryopick_ray.runs.estimate.cost import Estimate
    from cryopick_ray.runs.learning import LearningSettings

HERE, SILENCE = EngineSettings(), SilentEvents()


def run(
    settings: RunSettings, out: PathOrUrl, *, engine: EngineSettings = HERE, events: Events = SILENCE
) -> Summary:
    """Pick micrographs: ingest, pick, table, coordinates and report in the new folder ``out``.

    Parameters
    ----------
    settings
        ``Settings(inputs=["Micrographs"], diameter_A=180)``; fields have the names of ``config.yaml``.
    out
        Folder of the run, or a bucket's URL.
    engine
        Where it runs; by default on Ray's workers on this machine.
    events
        Receives progress, notes and warnings.

    Returns
    -------
    Summary
        Counts, thresholds, failures and times.

    Raises
    ------
    UsageError
        If a setting is wrong, the micrographs cannot be used, or ``out`` is not free.
    CryoPickError
        If the work cannot be done. One micrograph that fails does not end it: see ``failures``.
    """
    return pick_all(rooted(settings), engine, RunFolder(out), resume=False, events=events)


def resume(
    out: PathOrUrl, *, engine: EngineSettings = HERE, events: Events = SILENCE, **changes: Any
) -> Summary:
    """Continue the run in ``out``; finished work is not repeated.

    Parameters
    ----------
    changes
        Settings to change, by their fields' names; groups as mappings: ``optics={"voltage_kV": 200}``.

    Raises
    ------
    UsageError
        If there is no run, or a change would change picks that are there.
    """
    folder = RunFolder(out)
    settings = settings_for(folder, changes, config=None, resume=True, say=events.note)
    return pick_all(settings, engine, folder, resume=True, events=events)


def settings_for(
    folder: RunFolder,
    changes: dict[str, Any],
    *,
    config: Path | None,
    resume: bool,
    say: Callable[[str], None],
) -> RunSettings:
    """Return a run's settings: those of a file or of the resumed run, overridden by ``changes``.

    Parameters
    ----------
    changes
        Plain settings, nested.
    config
        A YAML file of settings.
    resume
        Whether the folder's run is continued: then an estimated diameter is kept.
    say
        Called with messages about ignored entries of the file.

    Raises
    ------
    UsageError
        If a setting is wrong, or there is no run to go on with.
    """
    goes_on = resume and folder.config.is_file()
    if resume and not (goes_on or config or "inputs" in changes):
        raise UsageError(f"{folder.where} holds no run to resume; give `inputs` to start one")
    data = read_yaml(config) if config else folder.plain_settings() if goes_on else {}
    data, changes = migrated(data, say), migrated(changes, say)
    if changes.keys() & {*CUTS}:  # one takes the place of another
        data = {name: value for name, value in data.items() if name not in CUTS}
    try:
        settings = load_settings(merged(data, changes))
    except UsageError:
        if goes_on and not config:
            folder.settings()  # names the file, if it is that which is wrong
        raise
    if goes_on and settings.diameter_A is None:
        settings = settings.model_copy(update={"diameter_A": folder.settings().diameter_A})
    return rooted(settings)


def plan(settings: RunSettings, *, engine: EngineSettings = HERE) -> "Estimate":
    """Estimate the bytes and hours of a run from a few of its micrographs, which are picked now.

    Raises
    ------
    UsageError
        If the micrographs cannot be used, or lie elsewhere.
    """
    from cryopick_ray.runs.estimate.cost import Machines, estimate
    from cryopick_ray.runs.estimate.measured_rates import measure, total_bytes

    checked = check(rooted(settings), engine)
    if checked.settings.diameter_A is None:
        checked = with_diameter(checked, estimate_diameter(SerialEngine(), checked, SILENCE))
    workers = engine.workers[1] if engine.workers else os.cpu_count() or 1
    sources = checked.sources
    return estimate(len(sources), total_bytes(sources), measure(checked), Machines(workers))


def self_train(
    run: PathOrUrl,
    out: PathOrUrl,
    *,
    teacher: str | None = None,
    preset: str | None = None,
    rounds: int | None = None,
    share: float | None = None,
    top: int | None = None,
    assignments: Sequence[str] = (),
    engine: "LearningSettings | None" = None,
    resume: bool = False,
    events: Events = SILENCE,
) -> Summary:
    """Train a run's model on a teacher's best picks, and pick the same micrographs again; no labels needed.

    ``out`` then holds an ordinary run, ``out/training`` the new model with its report, and
    ``out/teacher`` the teacher's run. If no student model scores better by the label-free evidence than the
    starting model, the run keeps that one, and its summary's ``taught`` says so.

    Parameters
    ----------
    teacher
        Model whose picks serve as labels: name or file, or ``self``; the default model unless given.
    preset
        ``deeppicker`` or ``deepem``: the settings of that paper.
    rounds
        Maximum number of training rounds.
    share, top
        Fraction of the picks, best first, to train on, and their maximum number.
    assignments
        ``NAME=VALUE`` of the training, such as ``epochs=5``.
    engine
        Engine and device for training and picking.
    resume
        Continue what ``out`` holds.

    Raises
    ------
    UsageError, ModelError
        If there are too few picks, or the run's model cannot learn.
    """
    from cryopick_ray.runs.learning import LearningSettings
    from cryopick_ray.runs.self_training.self_training import share_store, train_from_run
    from cryopick_ray.runs.self_training.target_run import target_run
    from cryopick_ray.store.claim import local_folder

    learning = engine or LearningSettings()
    source, out_folder = RunFolder(local_folder(str(run))), RunFolder(local_folder(str(out)))
    arguments = {"teacher": teacher, "preset": preset, "rounds": rounds, "share": share, "top": top}
    given = {name: value for name, value in arguments.items() if value is not None}
    timings, target = Timings(), target_run(source, given, assignments)
    model_defaults = {"threshold": "auto", "precision": None}  # scores of another model mean other things
    model = str(target.model(out_folder))
    settings = target.settings.model_copy(update={"model": model, "particle_px": None, **model_defaults})
    with out_folder.claim(settings, resume=resume):
        share_store(source, out_folder)
        with open_engine(learning.picking, threads=settings.threads) as runner:
            result = train_from_run(runner, target, out_folder, learning, events, timings, resume=resume)
            store_plan = plan_again(settings, learning.picking)
            digest, thresholds = run_on(runner, store_plan, out_folder, events, timings)
        return write_results(settings, out_folder, digest, thresholds, timings.seconds, taught=result)
