"""A training as a whole: what every worker must know of it, micrographs' pixels apart."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from cryopick_ray.errors import TrainingError
from cryopick_ray.training.data.examples import LabelledRow, check_readable
from cryopick_ray.training.loop.checkpoint import load_checkpoint
from cryopick_ray.training.loop.loop import Loop, LoopSettings, TrainState
from cryopick_ray.training.loop.loss_log import write_log
from cryopick_ray.training.loop.worker_group import WorkerGroup
from cryopick_ray.training.recipes.recipe import Recipe


@dataclass(frozen=True, eq=False)
class TrainingJob:
    """What is taught, with which micrographs, for how long.

    Attributes
    ----------
    recipe, settings
        What is taught and how the loop runs.
    training, validation
        Micrographs with labels; they may have no micrograph in common.
    weights
        Weights to begin with; ``None`` for fresh ones.
    """

    recipe: Recipe
    training: tuple[LabelledRow, ...]
    validation: tuple[LabelledRow, ...]
    settings: LoopSettings
    weights: dict[str, Tensor] | None = None

    def begin(self, folder: Path) -> TrainState | None:
        """Return the state that ``folder`` holds, if any, and make its log agree with it.

        Raises
        ------
        TrainingError
            If there is nothing to train on, or the checkpoint is damaged.
        StoreError
            If a store lacks a micrograph.
        """
        if not self.training:
            raise TrainingError("no labelled micrograph to train on; expected at least one")
        check_readable([*self.training, *self.validation])
        state = load_checkpoint(folder)
        write_log(folder, state.history if state else ())
        return state

    def loop(self, group: WorkerGroup, start: TrainState | None) -> Loop:
        """Return one worker's part of the training."""
        return Loop(
            self.recipe,
            self.training,
            self.validation,
            self.settings,
            group,
            start=start,
            weights=self.weights,
        )
