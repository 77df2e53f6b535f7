"""``cryopick self-train``: rounds of training on a teacher's sure picks, and label-free evidence for each.

DeepPicker's second stage (Wang et al. 2016, J. Struct. Biol. 195:325) for every network: pick the target
with a general model, train on the best picks, pick again. No manual labels are needed.
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
from cryopick_ray.runs.learning import LearningSettings
from cryopick_ray.runs.learning import train_context as train_context_of
from cryopick_ray.runs.pipeline import Timings, plan_again, run_on
from cryopick_ray.runs.results.run_results import write_results
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.runs.self_training.pseudo_labels import repicked
from cryopick_ray.runs.self_training.self_train_settings import SelfTrainSettings
from cryopick_ray.runs.self_training.self_training_result import SelfTrainingResult
from cryopick_ray.runs.self_training.student_evidence import agreement, steadiness
from cryopick_ray.runs.self_training.target_run import TRAINING, TargetRun
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.store.scale import check_scale
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.rehearsal import mixed_rows, rehearsal_rows
from cryopick_ray.training.data.splits import Rows, Split
from cryopick_ray.training.scored import pick_labelled
from cryopick_ray.training.train_model import TrainContext, TrainedModel, train_model
from cryopick_ray.training.training_folder import TrainingFolder
from cryopick_ray.training.write_results import write_training
from cryopick_ray.units import working_pixel_size_A

TEACHER = "teacher"
"""Subfolder of the teacher's run."""


def train_from_run(
    engine: Engine,
    target: TargetRun,
    out: RunFolder,
    learning: LearningSettings,
    events: Events,
    timings: Timings,
    *,
    resume: bool,
) -> SelfTrainingResult:
    """Train a run's model in the claimed run folder ``out``; return and report the result."""
    folder = TrainingFolder(out.path / TRAINING)
    with folder.claim(target.learn, resume=resume):
        context = train_context_of(learning, target.learn.precision, events)
        with timings.stage("teacher"):
            table = teachers_table(target, out, engine, learning.picking, context)
        with timings.stage("train"):
            result = teach(target, table, folder.path, engine, context)
    (events.warn if result.is_refused else events.note)(result.text())
    return result


def teach(
    target: TargetRun, table: PickTable, folder: Path, engine: Engine, train_context: TrainContext
) -> SelfTrainingResult:
    """Train a run's model in rounds while the evidence rises; the best model is written to ``folder``.

    Raises
    ------
    UsageError
        If there are too few picks to train on.
    """
    learn, events = target.learn, train_context.events
    picker = target.teachers_picker(train_context.device)
    picks = target.sample(table)
    split = target.split(picks, picker)
    check_store_resolution(split, learn, target.settings)
    others = rehearsal_rows(learn, folder, engine, events) if learn.simulated_share else ()
    judge = _judge(target, split.validation or split.learnt)
    evidence = [judge(target.own_picker(train_context.device))]
    best: TrainedModel | None = None
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
    return SelfTrainingResult(
        teacher=learn.teacher,
        measure="steadiness" if target.is_own_teacher else "agreement",
        held_back=len(split.validation),
        before=evidence[0],
        rounds=tuple(evidence[1:]),
        kept=kept,
        model=str(path),
    )


def teachers_table(
    target: TargetRun, out: RunFolder, engine: Engine, where: EngineSettings, train_context: TrainContext
) -> PickTable:
    """Return the teacher's picks: the run's own, those of a table, or of a new run in ``teacher/``."""
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
    """Link the store of a run into another run's folder.

    Raises
    ------
    UsageError
        If the folder links another store.
    """
    link = Path(out.store)
    if not link.exists():
        link.symlink_to(os.path.relpath(run.store, out.path))
    elif not link.samefile(run.store):
        raise UsageError(f"{out.path} does not learn from {run.path}; choose another `out`")


def _round(
    target: TargetRun,
    split: Split,
    others: Rows,
    folder: Path,
    train_context: TrainContext,
    number: int,
    before: TrainedModel | None,
) -> TrainedModel:
    """Train a student for one round, starting from the previous one."""
    learn = target.learn
    own = learn.model_copy(update={"seed": learn.seed + number - 1, "rounds": 2 if learn.false_picks else 1})
    count = sum(len(row.particles) for row in split.training)
    train_context.events.note(
        f"round {number}: learning from {count} picks in {len(split.training)} micrographs"
    )
    training = mixed_rows(split.training, others, learn.simulated_share)
    start = target.start if before is None else (before.weights, before.card)
    place = folder / f"round-{number}"
    student = train_model(
        own, replace(split, training=training), place, train_context, start=None if learn.fresh else start
    )
    write_training(own, student, place, "")
    return student


def _judge(target: TargetRun, rows: Sequence[LabelledRow]) -> Callable[[Picker], float]:
    """Return the evidence function of a model, on micrographs labelled by the teacher."""
    if target.is_own_teacher:
        return lambda picker: steadiness(picker, rows, target.learn.seed)
    return lambda picker: agreement(picker, rows)


def _picked_by(
    student: TrainedModel, picks: Sequence[MicrographPicks], split: Split
) -> list[MicrographPicks]:
    """Return the micrographs with the student's picks."""
    rows = {row.row.micrograph_id: row for row in split.learnt + split.validation}
    candidates = {
        name: pick_labelled(student.picker, rows[name])
        for name in (micrograph_picks.micrograph.micrograph_id for micrograph_picks in picks)
    }
    return repicked(picks, candidates, student.card.threshold)


def _keep(target: TargetRun, best: TrainedModel | None, folder: Path) -> Path:
    """Write the best model where the run expects it: the best student, or the starting model."""
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


def check_store_resolution(split: Split, learn: SelfTrainSettings, settings: RunSettings) -> None:
    """Refuse a store too coarse for the scales of the training."""
    finest = float(learn.options["particle_px"]) * learn.scales[1]
    pixel_size_A = working_pixel_size_A(settings.pick.diameter_A, finest)
    check_scale([row.row for row in split.training + split.validation], pixel_size_A)
