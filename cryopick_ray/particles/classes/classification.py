"""A classification from particles to classes: iterations on an engine, each kept once it is done."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_ray.engine.engine import PULSE_SECONDS, Engine, Shift, WorkerKind
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.unit import UnitReport, WorkUnit
from cryopick_ray.errors import PicksError
from cryopick_ray.particles.classes.classification_worker import ClassPart, ClassWorker
from cryopick_ray.particles.classes.model import ClassModel, ClassSums, total
from cryopick_ray.particles.classes.progress import WORK, WorkFiles, read_sums, write_model
from cryopick_ray.particles.classes.schedule import ClassPlan, unpack

STAGE, STEPS = "classify", "steps"
"""A step: a part of the particles, compared once."""


@dataclass(frozen=True, eq=False)
class Classification:
    """What a classification came to.

    Attributes
    ----------
    label
        ``(n,)`` class of each particle, from 0.
    psi_deg, shift_A, probability
        ``(n,)``, ``(n, 2)``, ``(n,)``: rlnAnglePsi, shift added to the origin given, and how sure both are.
    halves
        What each half set added up to.
    noise
        ``(s,)`` of the components by shell.
    """

    label: NDArray[np.int64]
    psi_deg: NDArray[np.float64]
    shift_A: NDArray[np.float64]
    probability: NDArray[np.float64]
    halves: tuple[ClassSums, ClassSums]
    noise: torch.Tensor


def classify(plan: ClassPlan, out: Path, engine: Engine, events: Events, device: str) -> Classification:
    """Classify; what a stopped classification left in ``out`` is gone on from.

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
    with engine.shift([kind]) as shift:
        for iteration in range(begun + 1, last + 1):
            if iteration == last:
                shift.finish()
            _iterate(plan, files, iteration, shift, events)
            sums = [read_sums(files.sums(iteration, part)) for part in range(plan.parts)]
            model = plan.next(total(sums), iteration) if iteration else plan.first(total(sums))
            if iteration < last:
                write_model(files.model(iteration), model)
                _forget(files, iteration)
    return _gathered(plan, files, sums, model)


def begin(plan: ClassPlan, out: Path, engine: Engine, events: Events, device: str) -> None:
    """Only make images ready, as iteration 0 does."""
    events.stage(STAGE, plan.parts, of=STEPS)
    kind = WorkerKind(STAGE, partial(ClassWorker, plan, out, device), on_gpu=True)
    with engine.shift([kind]) as shift:
        shift.finish()
        _iterate(plan, WorkFiles(out), 0, shift, events)


def clear(out: Path) -> None:
    """Remove what a classification keeps to go on from."""
    shutil.rmtree(out / WORK, ignore_errors=True)


def _iterate(plan: ClassPlan, files: WorkFiles, iteration: int, shift: Shift, events: Events) -> None:
    """Have all parts of an iteration done that are not."""
    left = [part for part in range(plan.parts) if not files.sums(iteration, part).is_file()]
    events.report(STAGE, UnitReport(plan.parts - len(left)))
    shift.add(STAGE, [WorkUnit((ClassPart(iteration, part),)) for part in left])
    failures: list[tuple[str, str]] = []
    while shift.unfinished:
        for _, report in shift.reports(PULSE_SECONDS):
            events.report(STAGE, report)
            failures += report.failures
    if failures:
        name, reason = failures[0]
        raise PicksError(f"{name}: {reason}")


def _forget(files: WorkFiles, iteration: int) -> None:
    """Remove what nothing needs once an iteration's model is there."""
    shutil.rmtree(files.sums(iteration, 0).parent)
    if iteration:
        files.model(iteration - 1).unlink(missing_ok=True)


def _gathered(
    plan: ClassPlan, files: WorkFiles, sums: Sequence[ClassSums], model: ClassModel
) -> Classification:
    found = [unpack(files.sums(plan.settings.iterations, part)) for part in range(plan.parts)]
    label, psi, shift, probability = (
        np.concatenate([part[name] for part in found])
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
