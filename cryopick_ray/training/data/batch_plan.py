"""Which example stands where: the same batches for any number of workers."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

VALIDATION_EPOCH = 2**32 - 1  # of one 32-bit word: numpy splits larger ones, and streams would meet
"""Epoch number of validation examples: the same ones every time, none of them in training."""
SHUFFLE = 2**32 - 1
"""Stands where an example has its step, so that the shuffle's random numbers are no example's."""
VIEW = 2**32 - 2
"""Likewise for views."""


@dataclass(frozen=True)
class Spot:
    """One example of a training: epoch, step within it, place in the batch."""

    epoch: int
    step: int
    slot: int


@dataclass(frozen=True)
class BatchPlan:
    """How batches are made of micrographs.

    Every epoch deals the micrographs, shuffled, to the slots of the batch: a slot draws its examples
    from its own micrographs, one after the other, and neighbouring slots share one where there are
    fewer micrographs than slots. A worker fills a run of slots, so workers read different micrographs,
    and what is drawn does not depend on how many workers there are. What slots are to show, particles or
    none, moves on by one slot every step, or a micrograph would show one of the two all epoch.

    Attributes
    ----------
    seed
        Equal seeds give equal examples.
    micrographs, batch, steps
        How many there are; slots of the batch over all workers; batches of an epoch.
    """

    seed: int
    micrographs: int
    batch: int
    steps: int

    def micrograph(self, spot: Spot) -> int:
        """Return the micrograph that an example is drawn from."""
        order = _dealt(self.seed, spot.epoch, self.micrographs)
        first = spot.slot * self.micrographs // self.batch
        last = max((spot.slot + 1) * self.micrographs // self.batch, first + 1)
        return order[first + spot.step * (last - first) // self.steps]

    def turn(self, spot: Spot) -> int:
        """Return which slot of the batch an example counts as when particles are dealt."""
        return (spot.slot + spot.step) % self.batch

    def view_generator(self, micrograph: int, epoch: int) -> np.random.Generator:
        """Return the stream that decides how a micrograph is seen in an epoch."""
        return np.random.default_rng([self.seed, epoch, VIEW, micrograph])

    def generator(self, spot: Spot) -> np.random.Generator:
        """Return the example's own stream of random numbers."""
        return np.random.default_rng([self.seed, spot.epoch, spot.step, spot.slot])

    def batches(self, epoch: int, rank: int, workers: int) -> Iterator[list[Spot]]:
        """Yield, step by step, the examples that one of the workers makes."""
        own = range(rank * self.batch // workers, (rank + 1) * self.batch // workers)
        for step in range(self.steps):
            yield [Spot(epoch, step, slot) for slot in own]


@lru_cache(maxsize=4)
def _dealt(seed: int, epoch: int, micrographs: int) -> tuple[int, ...]:
    """Return the order in which an epoch deals the micrographs."""
    order: list[int] = np.random.default_rng([seed, epoch, SHUFFLE]).permutation(micrographs).tolist()
    return tuple(order)
