"""Runs, as a program starts them; the command line fills settings and calls the same."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryopick_ray.engine.events import Events, Silence
from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.errors import UsageError
from cryopick_ray.runs.pipeline import Timings, look, pick_all, plan_again, run_on, with_diameter
from cryopick_ray.runs.pipeline import plan as check
from cryopick_ray.runs.results import Summary, write_results
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.settings.config import load_settings, over, read_yaml, renewed, rooted
from cryopick_ray.settings.cut_settings import CUTS
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.settings.run_settings import RunSettings

if TYPE_CHECKING:
    from cryopick_ray.runs.cost import Estimate
    from cryopick_ray.runs.learning import LearningSettings

Where = str | Path
"""A folder, or a bucket's URL."""
HERE, SILENCE = EngineSettings(), Silence()


def run(
    settings: RunSettings, out: Where, *, engine: EngineSettings = HERE, events: Events = SILENCE
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
        Told how far it is.

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


def resume(out: Where, *, engine: EngineSettings = HERE, events: Events = SILENCE, **changes: Any) -> Summary:
    """Go on with the run in ``out``; what is done is not done again.

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
    folder: RunFolder, given: dict[str, Any], *, config: Path | None, resume: bool, say: Callable[[str], None]
) -> RunSettings:
    """Return a run's settings: those of a file or of the run that goes on, and over them what is given.

    Parameters
    ----------
    given
        Plain settings, nested.
    config
        A YAML file of settings.
    resume
        Whether the run that the folder holds goes on: then a diameter that was estimated once stays.
    say
        Told what is left out of the file.

    Raises
    ------
    UsageError
        If a setting is wrong, or there is no run to go on with.
    """
    goes_on = resume and folder.config.is_file()
    if resume and not (goes_on or config or "inputs" in given):
        raise UsageError(f"{folder.where} holds no run to resume; give `inputs` to start one")
    data = read_yaml(config) if config else folder.plain_settings() if goes_on else {}
    data, given = renewed(data, say), renewed(given, say)
    if given.keys() & {*CUTS}:  # one takes the place of another
        data = {name: value for name, value in data.items() if name not in CUTS}
    try:
        settings = load_settings(over(data, given))
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
    from cryopick_ray.runs.cost import Machines, estimate
    from cryopick_ray.runs.rates import measure, total_bytes

    checked = check(rooted(settings), engine)
    if checked.settings.diameter_A is None:
        checked = with_diameter(checked, look(SerialEngine(), checked, SILENCE))
    workers = engine.workers[1] if engine.workers else os.cpu_count() or 1
    sources = checked.sources
    return estimate(len(sources), total_bytes(sources), measure(checked), Machines(workers))


def self_train(
    run: Where,
    out: Where,
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

    ``out`` then holds a run like any other, ``out/training`` the new model with its report, and
    ``out/teacher`` the teacher's run. Without a student that is better by its own evidence than the model
    that began, the run keeps that one, and its summary's ``taught`` says so.

    Parameters
    ----------
    teacher
        Whose picks are the labels: a model's name or file, or ``self``; the default model unless given.
    preset
        ``deeppicker`` or ``deepem``: as the paper has it.
    rounds
        How often it learns at most.
    share, top
        Part of the picks, best first, to learn from, and how many at most.
    assignments
        ``NAME=VALUE`` of the training, such as ``epochs=5``.
    engine
        Where it learns and picks.
    resume
        Go on with what ``out`` holds.

    Raises
    ------
    UsageError, ModelError
        If there are too few picks, or the run's model cannot learn.
    """
    from cryopick_ray.runs.learning import LearningSettings
    from cryopick_ray.runs.self_training import learn_on, share_store
    from cryopick_ray.runs.target import target_of
    from cryopick_ray.store.claim import local_folder

    learning = engine or LearningSettings()
    first, second = RunFolder(local_folder(str(run))), RunFolder(local_folder(str(out)))
    asked = {"teacher": teacher, "preset": preset, "rounds": rounds, "share": share, "top": top}
    given = {name: value for name, value in asked.items() if value is not None}
    timings, target = Timings(), target_of(first, given, assignments)
    as_the_model_says = {"threshold": "auto", "precision": None}  # scores of another model mean other things
    model = str(target.model(second))
    settings = target.settings.model_copy(update={"model": model, "particle_px": None, **as_the_model_says})
    with second.claim(settings, resume=resume):
        share_store(first, second)
        with open_engine(learning.picking, threads=settings.threads) as runner:
            taught = learn_on(runner, target, second, learning, events, timings, resume=resume)
            again = plan_again(settings, learning.picking)
            digest, thresholds = run_on(runner, again, second, events, timings)
        return write_results(settings, second, digest, thresholds, timings.seconds, taught=taught)
