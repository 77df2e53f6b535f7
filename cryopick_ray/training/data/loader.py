"""Examples made while the network learns: it would starve otherwise."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from cryopick_ray.errors import CryoPickError
from cryopick_ray.training.data.examples import Examples

Batch = tuple[Tensor, Tensor]
"""``(n, 1, s, s)`` images and their targets."""
AHEAD = 3
"""Parts that each process, or the thread, has ready."""


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


class _Ahead:
    """What comes next of an iterator, brought by another thread before it is asked for."""

    def __init__(self, parts: Iterator[Batch | CryoPickError]) -> None:
        self._parts, self._thread = parts, ThreadPoolExecutor(1)
        self._coming = deque(self._bring() for _ in range(AHEAD))

    def _bring(self) -> Future[Batch | CryoPickError | None]:
        return self._thread.submit(next, self._parts, None)

    def __iter__(self) -> Iterator[Batch | CryoPickError]:
        while (part := self._coming.popleft().result()) is not None:
            self._coming.append(self._bring())
            yield part


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
        That make examples ahead of time; 0 lets a thread of this one do it.
    """

    def __init__(
        self, examples: Examples, epochs: range, steps: int, rank: int, size: int, processes: int
    ) -> None:
        self._steps, self._processes = steps, processes
        parts = _Parts(examples, epochs, rank, size)
        ahead: dict[str, Any] = {}
        if processes:  # a forked process would wait for threads of this one, the store's above all
            ahead = {"prefetch_factor": AHEAD, "multiprocessing_context": "spawn"}
        made = iter(DataLoader(parts, batch_size=None, num_workers=processes, **ahead))
        self._parts = made if processes else iter(_Ahead(made))

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

    None for a CPU, where a thread is enough. A GPU gets its share of the CPUs, but one for the network.
    """
    if device.type != "cuda":
        return 0
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(max(1, cpus // torch.cuda.device_count() - 1), part)
