"""Examples made by other processes while the network learns: a GPU would starve otherwise."""

import os
from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from cryopick_ray.errors import CryoPickError
from cryopick_ray.training.dataset import Examples

Batch = tuple[Tensor, Tensor]
"""``(n, 1, s, s)`` images and their targets."""
AHEAD = 3
"""Parts that each process has ready."""


class _Parts(IterableDataset[Batch | CryoPickError]):
    """What one process makes of every batch: a run of its slots.

    An error is the last part: raised here, it would reach a person with a traceback in its message.
    """

    def __init__(self, examples: Examples, epochs: range, rank: int, size: int) -> None:
        self._examples, self._epochs, self._rank, self._size = examples, epochs, rank, size

    def __iter__(self) -> Iterator[Batch | CryoPickError]:
        info = get_worker_info()
        number, processes = (info.id, info.num_workers) if info else (0, 1)
        try:
            for epoch in self._epochs:
                yield from self._examples.batches(
                    epoch, self._rank * processes + number, self._size * processes
                )
        except CryoPickError as error:
            yield error


class Loader:
    """One worker's part of the batches of many epochs; the same for any number of processes.

    Parameters
    ----------
    examples
        Makes them.
    epochs, steps
        Which epochs there are, and batches of each.
    rank, size
        Which of how many workers this is.
    processes
        That make examples ahead of time; 0 makes them here, when they are wanted.
    """

    def __init__(
        self, examples: Examples, epochs: range, steps: int, rank: int, size: int, processes: int
    ) -> None:
        self._steps, self._processes = steps, processes
        parts = _Parts(examples, epochs, rank, size)
        ahead: dict[str, Any] = {}
        if processes:  # a forked process would wait for threads of this one, the store's above all
            ahead = {"prefetch_factor": AHEAD, "multiprocessing_context": "spawn"}
        self._parts = iter(DataLoader(parts, batch_size=None, num_workers=processes, **ahead))

    def epoch(self) -> Iterator[Batch]:
        """Yield the next epoch's batches.

        Raises
        ------
        StoreError, TrainingError
            If a micrograph cannot be read or used, here or in another process.
        """
        each = max(1, self._processes)
        for _ in range(self._steps):
            parts = list(islice(self._parts, each))
            for part in parts:
                if isinstance(part, CryoPickError):
                    raise part
            images, targets = zip(*parts, strict=True)
            yield (images[0], targets[0]) if each == 1 else (torch.cat(images), torch.cat(targets))


def processes_for(device: torch.device, part: int) -> int:
    """Return how many processes make examples for a network on a device, of ``part`` examples a batch.

    None for a CPU: it has nothing else to do. A GPU gets its share of the CPUs, but one for the network.
    """
    if device.type != "cuda":
        return 0
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(max(1, cpus // torch.cuda.device_count() - 1), part)
