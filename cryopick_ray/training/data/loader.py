"""Batches of examples, made ahead of time while the network trains."""

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
"""Parts of batches that each process, or the thread, makes ahead."""


class _BatchParts(IterableDataset[Batch | CryoPickError]):
    """The part of every batch that one process makes: consecutive slots.

    An error is yielded as the last part: raised here, its message would hold a traceback.
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


class _Prefetcher:
    """Prefetches the next items of an iterator in a thread."""

    def __init__(self, parts: Iterator[Batch | CryoPickError]) -> None:
        self._parts, self._thread = parts, ThreadPoolExecutor(1)
        self._pending = deque(self._submit() for _ in range(AHEAD))

    def _submit(self) -> Future[Batch | CryoPickError | None]:
        return self._thread.submit(next, self._parts, None)

    def __iter__(self) -> Iterator[Batch | CryoPickError]:
        while (part := self._pending.popleft().result()) is not None:
            self._pending.append(self._submit())
            yield part


class Loader:
    """One worker's part of the batches of many epochs; the same for any number of processes.

    Parameters
    ----------
    examples
        Draws the examples.
    epochs, steps
        Numbers of the epochs, and batches of each.
    rank, size
        Number of this worker, and how many there are.
    processes
        Processes that make examples ahead of time; 0 for a thread of this one.
    """

    def __init__(
        self, examples: Examples, epochs: range, steps: int, rank: int, size: int, processes: int
    ) -> None:
        self._steps, self._processes = steps, processes
        parts = _BatchParts(examples, epochs, rank, size)
        ahead: dict[str, Any] = {}
        if processes:  # a forked process would wait for threads of this one, the store's above all
            ahead = {"prefetch_factor": AHEAD, "multiprocessing_context": "spawn"}
        made = iter(DataLoader(parts, batch_size=None, num_workers=processes, **ahead))
        self._parts = made if processes else iter(_Prefetcher(made))

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
