"""The plan of batches: which micrograph every example is drawn from, for any number of workers the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

VALIDATION_EPOCH = 2**32 - 1  # of one 32-bit word: numpy splits larger ones, and streams would meet
"""Epoch number of validation examples: the same ones every time, none of them in training."""
SHUFFLE = 2**32 - 1
"""In place of an example's step in a seed, so that the shuffle has random numbers of its own."""
VIEW = 2**32 - 2
"""Likewise for the views of micrographs."""


@dataclass(frozen=True)
class ExampleIndex:
    """Index of an example in a training: epoch, step within it, slot of the batch."""

    epoch: int
    step: int
    slot: int


@dataclass(frozen=True)
class BatchPlan:
    """How batches are made of micrographs.

    Every epoch deals the micrographs, shuffled, to the slots of the batch: a slot draws its examples
    from its own micrographs in turn, and neighbouring slots share one where there are fewer micrographs
    than slots. A worker fills consecutive slots, so workers read different micrographs, and examples do
    not depend on the number of workers. The roles of slots, particle or none, rotate by one slot every
    step: otherwise a micrograph would have one role all epoch.

    Attributes
    ----------
    seed
        Equal seeds give equal examples.
    micrographs, batch, steps
        Number of micrographs; slots of the batch over all workers; batches of an epoch.
    """

    seed: int
    micrographs: int
    batch: int
    steps: int

    def micrograph(self, index: ExampleIndex) -> int:
        """Return the micrograph that an example is drawn from."""
        order = _dealt(self.seed, index.epoch, self.micrographs)
        first = index.slot * self.micrographs // self.batch
        last = max((index.slot + 1) * self.micrographs // self.batch, first + 1)
        return order[first + index.step * (last - first) // self.steps]

    def turn(self, index: ExampleIndex) -> int:
        """Return the slot whose role, particle or none, an example has: roles rotate every step."""
        return (index.slot + index.step) % self.batch

    def view_generator(self, micrograph: int, epoch: int) -> np.random.Generator:
        """Return the random stream of a micrograph's view in an epoch."""
        return np.random.default_rng([self.seed, epoch, VIEW, micrograph])

    def generator(self, index: ExampleIndex) -> np.random.Generator:
        """Return the random stream of an example."""
        return np.random.default_rng([self.seed, index.epoch, index.step, index.slot])

    def batches(self, epoch: int, rank: int, workers: int) -> Iterator[list[ExampleIndex]]:
        """Yield, step by step, the examples that one of the workers makes."""
        slots = range(rank * self.batch // workers, (rank + 1) * self.batch // workers)
        for step in range(self.steps):
            yield [ExampleIndex(epoch, step, slot) for slot in slots]


@lru_cache(maxsize=4)
def _dealt(seed: int, epoch: int, micrographs: int) -> tuple[int, ...]:
    """Return the order in which an epoch deals the micrographs."""
    order: list[int] = np.random.default_rng([seed, epoch, SHUFFLE]).permutation(micrographs).tolist()
    return tuple(order)
