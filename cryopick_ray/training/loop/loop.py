"""The training loop: the same with one process or many, with Ray or without."""

import math
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cryopick_ray.errors import TrainingError
from cryopick_ray.training.data.batch_plan import VALIDATION_EPOCH, BatchPlan
from cryopick_ray.training.data.examples import Examples, LabelledRow
from cryopick_ray.training.data.loader import Loader, processes_for
from cryopick_ray.training.data.views import ONE_VIEW, Views
from cryopick_ray.training.loop.worker_group import WorkerGroup
from cryopick_ray.training.recipes.recipe import Recipe

VALIDATION_STEPS = 8
"""Batches that the validation loss is the mean of."""

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class LoopSettings:
    """How long and how the loop runs.

    Attributes
    ----------
    epochs, steps
        Epochs at most, and batches of each.
    batch
        Examples of a batch over all workers.
    learning_rate
        Before the recipe's schedule.
    patience
        Epochs without a better validation loss after which training stops.
    precision
        Of the network's arithmetic; weights and losses are float32 always.
    seed
        Of weights, examples and dropout.
    views
        How the training micrographs are shown.
    """

    epochs: int
    steps: int
    batch: int
    learning_rate: float
    patience: int
    precision: Precision
    seed: int
    views: Views = ONE_VIEW


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to; ``validation_loss`` is ``None`` without validation micrographs."""

    epoch: int
    train_loss: float
    validation_loss: float | None
    learning_rate: float
    seconds: float
    examples: int
    workers: int


@dataclass(frozen=True)
class TrainState:
    """All that training needs to go on after an epoch.

    Attributes
    ----------
    network, best
        Weights now, and those of the epoch with the best validation loss (the last without one).
    optimiser
        The optimiser's own state.
    history
        The finished epochs.
    """

    network: dict[str, Tensor]
    best: dict[str, Tensor]
    optimiser: dict[str, Any]
    history: tuple[Epoch, ...]


@runtime_checkable
class Listener(Protocol):
    """Who is told how far a training is."""

    def steps(self, epoch: int, done: int, total: int) -> None:
        """Note that so many of an epoch's batches are done; ``epoch`` counts from 1."""
        ...

    def epoch(self, epoch: Epoch) -> None:
        """Note a finished epoch."""
        ...


class Record(Protocol):
    """Where finished epochs go."""

    def steps(self, epoch: int, done: int, total: int) -> None:
        """Note a finished batch, as a :class:`Listener`; every member of the team calls this."""
        ...

    def epoch(self, state: TrainState) -> None:
        """Keep the state; every member of the team calls this."""
        ...


def best_epoch(history: Sequence[Epoch]) -> int:
    """Return which epoch, counted from 1, has the best validation loss; the last one without validation."""
    losses = [math.inf if one.validation_loss is None else one.validation_loss for one in history]
    return len(losses) - losses[::-1].index(min(losses))


def is_over(history: Sequence[Epoch], settings: LoopSettings, *, early: bool) -> bool:
    """Tell whether training ends: all epochs done, or if ``early`` ``patience`` without a better loss."""
    losses = [one.validation_loss for one in history if one.validation_loss is not None]
    stale = len(losses) - 1 - losses.index(min(losses)) if losses else 0
    return len(history) >= settings.epochs or (early and stale >= settings.patience)


class Loop:
    """One worker's part of a training.

    Parameters
    ----------
    recipe
        What is taught.
    training, validation
        Micrographs; without ``validation`` the last weights are the best.
    start
        State after some epochs, to go on from.
    weights
        Weights to begin with instead of fresh ones.
    """

    def __init__(
        self,
        recipe: Recipe,
        training: Sequence[LabelledRow],
        validation: Sequence[LabelledRow],
        settings: LoopSettings,
        workers: WorkerGroup,
        *,
        start: TrainState | None = None,
        weights: dict[str, Tensor] | None = None,
    ) -> None:
        self._recipe, self._settings, self._workers = recipe, settings, workers
        seed, batch = settings.seed, settings.batch
        plan = BatchPlan(seed, len(training), batch, settings.steps)
        self._training = Examples(recipe, training, plan, views=settings.views)
        self._validation = (
            Examples(recipe, validation, BatchPlan(seed, len(validation), batch, VALIDATION_STEPS))
            if validation
            else None
        )
        torch.manual_seed(seed)
        network = recipe.build()
        if start is not None or weights is not None:
            _restore(network, start.network if start else weights or {})
        # channels last is a fifth faster on a CPU; torch's own hints lack the argument
        self._network = network.to(workers.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._model = workers.wrap(self._network)
        self._optimiser = recipe.optimiser(self._network, settings.learning_rate)
        self._rates = [parameters["lr"] for parameters in self._optimiser.param_groups]
        self._best = start.best if start else {}
        self._history = start.history if start else ()
        if start is not None:
            _resume(self._optimiser, start)

    def run(self, record: Record) -> TrainState:
        """Train to the end, giving every finished epoch to ``record``; return the last state."""
        # nearly repeatable on a GPU too
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, benchmark=False, allow_tf32=False):
            return self._run(record)

    def _run(self, record: Record) -> TrainState:
        state, settings, workers = self._state(), self._settings, self._workers
        part = settings.batch // workers.size
        loader = Loader(
            self._training,
            range(len(self._history), settings.epochs),
            settings.steps,
            workers.rank,
            workers.size,
            processes_for(workers.device, part),
        )
        while not is_over(self._history, settings, early=self._recipe.validation_chooses):
            began = time.perf_counter()
            loss = self._train(len(self._history), loader, record)
            one = Epoch(
                epoch=len(self._history) + 1,
                train_loss=loss,
                validation_loss=self._validate(len(self._history)),
                learning_rate=self._optimiser.param_groups[0]["lr"],
                seconds=time.perf_counter() - began,
                examples=settings.steps * settings.batch,
                workers=workers.size,
            )
            if wrong := [value for value in (loss, one.validation_loss or 0.0) if not math.isfinite(value)]:
                rate = settings.learning_rate
                raise TrainingError(
                    f"the loss is {wrong[0]} in epoch {one.epoch}: training diverged with a learning_rate of "
                    f"{rate:g}; train in another folder with a much lower one, such as {rate / 10:g}"
                )
            self._history = (*self._history, one)
            if best_epoch(self._history) == len(self._history) or not self._recipe.validation_chooses:
                self._best = _copy(self._network)
            state = self._state()
            record.epoch(state)
        return state

    def _train(self, epoch: int, loader: Loader, record: Record) -> float:
        """Do one epoch; return the mean loss over all workers."""
        settings, workers = self._settings, self._workers
        torch.manual_seed((settings.seed * 1_000_003 + epoch) * 1_009 + workers.rank)  # dropout
        losses = [one.validation_loss for one in self._history if one.validation_loss is not None]
        self._model.train()
        total = torch.zeros((), device=workers.device)
        for step, (images, targets) in enumerate(loader.epoch()):
            rate = self._recipe.rate(epoch + step / settings.steps, settings.epochs, losses)
            for parameters, base in zip(self._optimiser.param_groups, self._rates, strict=True):
                parameters["lr"] = base * rate
            self._optimiser.zero_grad()
            loss = self._loss(images, targets, epoch)
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
            total += loss.detach()
            record.steps(epoch + 1, step + 1, settings.steps)
        return workers.mean(float(total) / settings.steps)

    def _validate(self, epoch: int) -> float | None:
        """Return the mean loss of the validation examples over all workers."""
        if self._validation is None:
            return None
        self._model.eval()
        total = torch.zeros((), device=self._workers.device)
        with torch.inference_mode():
            batches = self._validation.batches(VALIDATION_EPOCH, self._workers.rank, self._workers.size)
            for images, targets in batches:
                total += self._loss(images, targets, epoch)
        return self._workers.mean(float(total) / VALIDATION_STEPS)

    def _loss(self, images: Tensor, targets: Tensor, epoch: int) -> Tensor:
        """Return this worker's loss, weighted so that the workers' mean is that of the whole batch."""
        workers, settings = self._workers, self._settings
        images = images.to(workers.device, non_blocking=True, memory_format=torch.channels_last)
        with torch.autocast(workers.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
            answer = self._model(images)
        loss = self._recipe.loss(answer.float(), targets.to(workers.device, non_blocking=True), epoch)
        return loss * (len(images) * workers.size / settings.batch)

    def _state(self) -> TrainState:
        return TrainState(
            _copy(self._network), self._best, deepcopy(self._optimiser.state_dict()), self._history
        )


def _restore(network: nn.Module, weights: dict[str, Tensor]) -> None:
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise TrainingError(
            "the weights to begin with are of another network; give its architecture or another folder"
        ) from error


def _resume(optimiser: Optimizer, start: TrainState) -> None:
    """Give the optimiser the state it had."""
    try:
        optimiser.load_state_dict(start.optimiser)
    except (ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        raise TrainingError(
            "the checkpoint's optimiser is of another training; train in another folder"
        ) from error


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
