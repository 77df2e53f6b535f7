"""Training in this process: the loop without Ray, to debug and for one machine with one device."""

from dataclasses import dataclass
from pathlib import Path

import torch

from cryopick_ray.training.loop.checkpoint import save_checkpoint
from cryopick_ray.training.loop.job import TrainingJob
from cryopick_ray.training.loop.loop import Listener, TrainState
from cryopick_ray.training.loop.loss_log import write_log
from cryopick_ray.training.loop.worker_group import SingleWorker


@dataclass(frozen=True)
class Keeper:
    """Keeps every epoch in a folder, then tells of it."""

    folder: Path
    listener: Listener

    def steps(self, epoch: int, done: int, total: int) -> None:
        """Tell of it."""
        self.listener.steps(epoch, done, total)

    def epoch(self, state: TrainState) -> None:
        """Write checkpoint and log: the log never has an epoch that the checkpoint lacks."""
        save_checkpoint(self.folder, state)
        write_log(self.folder, state.history)
        self.listener.epoch(state.history[-1])


def train_here(job: TrainingJob, folder: Path, device: torch.device, listener: Listener) -> TrainState:
    """Train to the end, from the checkpoint in ``folder`` if there is one; return the last state.

    Parameters
    ----------
    folder
        Gets ``checkpoint.pt`` and ``log.csv`` after every epoch; runs of any kind go on from there.
    listener
        Told of every epoch as it ends, not of those that were done before, and of its batches.

    Raises
    ------
    CryoPickError
        If training cannot start, go on or end well.
    """
    start = job.begin(folder)
    return job.loop(SingleWorker(device), start).run(Keeper(folder, listener))
