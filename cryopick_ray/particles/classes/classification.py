"""2-D classification by expectation maximisation: iterations on an engine, each saved when done."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_ray.engine.engine import PULSE_SECONDS, Engine, WorkerKind, WorkSession
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.unit import UnitReport, WorkUnit
from cryopick_ray.errors import PicksError
from cryopick_ray.particles.classes.classification_worker import ClassPart, ClassWorker
from cryopick_ray.particles.classes.model import ClassModel, ClassSums, total
from cryopick_ray.particles.classes.progress import WORK, WorkFiles, read_sums, write_model
from cryopick_ray.particles.classes.schedule import ClassPlan, unpack

STAGE, STEPS = "classify", "steps"
"""Progress counts steps: one part of the particles in one iteration."""


@dataclass(frozen=True, eq=False)
class Classification:
    """Result of the iterations.

    Attributes
    ----------
    label
        ``(n,)`` class of each particle, from 0.
    psi_deg, shift_A, probability
        ``(n,)``, ``(n, 2)``, ``(n,)``: rlnAnglePsi, shift added to the origin given, and how sure both are.
    halves
        Sums of each half set.
    noise
        ``(s,)`` noise variance of the components by shell.
    """

    label: NDArray[np.int64]
    psi_deg: NDArray[np.float64]
    shift_A: NDArray[np.float64]
    probability: NDArray[np.float64]
    halves: tuple[ClassSums, ClassSums]
    noise: torch.Tensor


def classify(plan: ClassPlan, out: Path, engine: Engine, events: Events, device: str) -> Classification:
    """Classify particles; an interrupted classification in ``out`` is continued.

    Raises
    ------
    PicksError
        Images cannot be read, or a part of them cannot be compared.
    """
    files = WorkFiles(out)
    last = plan.settings.iterations
    begun = max((i for i in range(last) if files.model(i).is_file()), default=-1)
    events.stage(STAGE, (last + 1) * plan.parts, (begun + 1) * plan.parts, STEPS)
    kind = WorkerKind(STAGE, partial(ClassWorker, plan, out, device), on_gpu=True)
    with engine.open_session([kind]) as session:
        for iteration in range(begun + 1, last + 1):
            if iteration == last:
                session.finish()
            _iterate(plan, files, iteration, session, events)
            sums = [read_sums(files.sums(iteration, part)) for part in range(plan.parts)]
            model = plan.next(total(sums), iteration) if iteration else plan.first(total(sums))
            if iteration < last:
                write_model(files.model(iteration), model)
                _forget(files, iteration)
    return _gathered(plan, files, sums, model)


def begin(plan: ClassPlan, out: Path, engine: Engine, events: Events, device: str) -> None:
    """Only prepare the images, as iteration 0 does."""
    events.stage(STAGE, plan.parts, of=STEPS)
    kind = WorkerKind(STAGE, partial(ClassWorker, plan, out, device), on_gpu=True)
    with engine.open_session([kind]) as session:
        session.finish()
        _iterate(plan, WorkFiles(out), 0, session, events)


def clear(out: Path) -> None:
    """Remove the files that a classification is continued from."""
    shutil.rmtree(out / WORK, ignore_errors=True)


def _iterate(plan: ClassPlan, files: WorkFiles, iteration: int, session: WorkSession, events: Events) -> None:
    """Run the unfinished parts of an iteration."""
    left = [part for part in range(plan.parts) if not files.sums(iteration, part).is_file()]
    events.report(STAGE, UnitReport(plan.parts - len(left)))
    session.add(STAGE, [WorkUnit((ClassPart(iteration, part),)) for part in left])
    failures: list[tuple[str, str]] = []
    while session.unfinished:
        for _, report in session.reports(PULSE_SECONDS):
            events.report(STAGE, report)
            failures += report.failures
    if failures:
        name, reason = failures[0]
        raise PicksError(f"{name}: {reason}")


def _forget(files: WorkFiles, iteration: int) -> None:
    """Remove files that are not needed once an iteration's model exists."""
    shutil.rmtree(files.sums(iteration, 0).parent)
    if iteration:
        files.model(iteration - 1).unlink(missing_ok=True)


def _gathered(
    plan: ClassPlan, files: WorkFiles, sums: Sequence[ClassSums], model: ClassModel
) -> Classification:
    parts = [unpack(files.sums(plan.settings.iterations, part)) for part in range(plan.parts)]
    label, psi, shift, probability = (
        np.concatenate([part[name] for part in parts])
        for name in ("label", "psi_deg", "shift_A", "probability")
    )
    return Classification(
        label.astype(np.int64),
        psi.astype(np.float64),
        shift.astype(np.float64),
        probability.astype(np.float64),
        (total(sums[::2]), total(sums[1::2])),
        model.noise,
    )
