"""A run teaches its model: labels from a teacher's sure picks, rounds, and evidence for what is kept.

DeepPicker's second stage (Wang et al. 2016, J. Struct. Biol. 195:325) for every network: pick the target
with a general model, train on the best picks, pick again. No label of the target is needed.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cryopick_ray.engine.engine import Engine
from cryopick_ray.engine.events import Events
from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.picker import Picker
from cryopick_ray.pickers.weights import save_model
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import PickTable, open_table
from cryopick_ray.runs.evidence import agreement, steadiness
from cryopick_ray.runs.learning import LearningSettings
from cryopick_ray.runs.learning import train_context as means_of
from cryopick_ray.runs.own_labels import picked_anew
from cryopick_ray.runs.pipeline import Timings, plan_again, run_on
from cryopick_ray.runs.results import write_results
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.runs.student import SelfTrainSettings
from cryopick_ray.runs.target import TRAINING, Target
from cryopick_ray.runs.taught import Taught
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.store.scale import check_scale
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.remembered import mixed, remembered
from cryopick_ray.training.data.splits import Rows, Split
from cryopick_ray.training.scored import found_by
from cryopick_ray.training.train_model import TrainContext, Trained, train_model
from cryopick_ray.training.training_folder import TrainingFolder
from cryopick_ray.training.write_results import write_training
from cryopick_ray.units import working_pixel_size_A

TEACHER = "teacher"
"""Folder of the teacher's run in that of a run that learned."""


def learn_on(
    engine: Engine,
    target: Target,
    out: RunFolder,
    learning: LearningSettings,
    events: Events,
    timings: Timings,
    *,
    resume: bool,
) -> Taught:
    """Let a run's model learn in the claimed run folder ``out``, and tell what came of it."""
    folder = TrainingFolder(out.path / TRAINING)
    with folder.claim(target.learn, resume=resume):
        using = means_of(learning, target.learn.precision, events)
        with timings.stage("teacher"):
            table = teachers_table(target, out, engine, learning.picking, using)
        with timings.stage("train"):
            taught = teach(target, table, folder.path, engine, using)
    (events.warn if taught.is_refused else events.note)(taught.text())
    return taught


def teach(
    target: Target, table: PickTable, folder: Path, engine: Engine, train_context: TrainContext
) -> Taught:
    """Teach a run's model in ``folder``, as long as the evidence rises; the better model lies there then.

    Raises
    ------
    UsageError
        If there are too few picks to learn from.
    """
    learn, events = target.learn, train_context.events
    picker = target.teachers_picker(train_context.device)
    picks = target.sample(table)
    split = target.split(picks, picker)
    check_fine(split, learn, target.settings)
    others = remembered(learn, folder, engine, events) if learn.simulated_share else ()
    judge = _judge(target, split.validation or split.learnt)
    evidence = [judge(target.own_picker(train_context.device))]
    best: Trained | None = None
    for number in range(1, learn.rounds + 1):
        if best is not None and target.is_own_teacher:
            split = target.split(_picked_by(best, picks, split), best.picker)
        student = _round(target, split, others, folder, train_context, number, best)
        evidence.append(judge(student.picker))
        events.note(f"round {number}: evidence {evidence[-1]:.3f}, before it {max(evidence[:-1]):.3f}")
        if evidence[-1] <= max(evidence[:-1]):
            break
        best = student
    kept = 0 if best is None else int(np.argmax(evidence))
    path = _keep(target, best, folder)
    return Taught(
        teacher=learn.teacher,
        measure="steadiness" if target.is_own_teacher else "agreement",
        held_back=len(split.validation),
        before=evidence[0],
        rounds=tuple(evidence[1:]),
        kept=kept,
        model=str(path),
    )


def teachers_table(
    target: Target, out: RunFolder, engine: Engine, where: EngineSettings, train_context: TrainContext
) -> PickTable:
    """Return the teacher's picks of the run's micrographs: its own, a table's, or a run's in ``teacher/``."""
    if target.is_own_teacher:
        return PickTable(target.run.table)
    if target.is_table_teacher:
        return open_table(target.learn.teacher)
    as_the_model_says = {"particle_px": None, "threshold": "auto", "precision": None, "pictures": False}
    settings = target.settings.model_copy(update={"model": target.learn.teacher, **as_the_model_says})
    folder, timings = RunFolder(out.path / TEACHER), Timings()
    train_context.events.note(f"the teacher {target.learn.teacher} picks")
    with folder.claim(settings, resume=folder.config.exists()):
        share_store(target.run, folder)
        digest, thresholds = run_on(
            engine, plan_again(settings, where), folder, train_context.events, timings
        )
        write_results(settings, folder, digest, thresholds, timings.seconds)
    return PickTable(folder.table)


def share_store(run: RunFolder, out: RunFolder) -> None:
    """Let a second run use the store of the first.

    Raises
    ------
    UsageError
        If it uses that of another run.
    """
    link = Path(out.store)
    if not link.exists():
        link.symlink_to(os.path.relpath(run.store, out.path))
    elif not link.samefile(run.store):
        raise UsageError(f"{out.path} does not learn from {run.path}; choose another `out`")


def _round(
    target: Target,
    split: Split,
    others: Rows,
    folder: Path,
    train_context: TrainContext,
    number: int,
    before: Trained | None,
) -> Trained:
    """Let a student learn once more from where the one before ended."""
    learn = target.learn
    own = learn.model_copy(update={"seed": learn.seed + number - 1, "rounds": 2 if learn.false_picks else 1})
    count = sum(len(row.particles) for row in split.training)
    train_context.events.note(
        f"round {number}: learning from {count} picks in {len(split.training)} micrographs"
    )
    training = mixed(split.training, others, learn.simulated_share)
    start = target.start if before is None else (before.weights, before.card)
    place = folder / f"round-{number}"
    student = train_model(
        own, replace(split, training=training), place, train_context, start=None if learn.fresh else start
    )
    write_training(own, student, place, "")
    return student


def _judge(target: Target, rows: Sequence[LabelledRow]) -> Callable[[Picker], float]:
    """Return what is measured of a model on micrographs, labelled by the teacher."""
    if target.is_own_teacher:
        return lambda picker: steadiness(picker, rows, target.learn.seed)
    return lambda picker: agreement(picker, rows)


def _picked_by(student: Trained, picks: Sequence[MicrographPicks], split: Split) -> list[MicrographPicks]:
    """Return the same micrographs with the student's picks."""
    rows = {row.row.micrograph_id: row for row in split.learnt + split.validation}
    found = {
        name: found_by(student.picker, rows[name]) for name in (one.micrograph.micrograph_id for one in picks)
    }
    return picked_anew(picks, found, student.card.threshold)


def _keep(target: Target, best: Trained | None, folder: Path) -> Path:
    """Write the better model where the run expects it: the student, or the one that began."""
    learn = target.learn
    path = folder / f"{learn.name}.safetensors"
    if best is None:
        weights, card = target.start
        threshold = target.settings.threshold
        own = {"particle_px": learn.options["particle_px"]}
        own |= {"threshold": threshold} if isinstance(threshold, float) else {}
        save_model(path, weights, card.model_copy(update=own))
        return path
    source = f"cryopick self-train, teacher {learn.teacher}, seed {learn.seed}"
    card = best.card.model_copy(update={"source": source})
    save_model(path, best.weights, card)
    write_training(learn, replace(best, path=path, card=card), folder, "")
    return path


def check_fine(split: Split, learn: SelfTrainSettings, settings: RunSettings) -> None:
    """Refuse a store too coarse for the scale that it is learned at."""
    finest = float(learn.options["particle_px"]) * learn.scales[1]
    pixel_size_A = working_pixel_size_A(settings.pick.diameter_A, finest)
    check_scale([one.row for one in split.training + split.validation], pixel_size_A)
