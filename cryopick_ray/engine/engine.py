"""What an engine offers: workers of several kinds that do units as they come."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from cryopick_ray.engine.unit import ItemT, UnitReport, Worker, WorkUnit

PULSE_SECONDS = 1.0
"""Between two looks at what else is to be done while nothing is reported."""


@dataclass(frozen=True)
class WorkerKind:
    """Work of one kind.

    Attributes
    ----------
    name
        What its units are reported under.
    make_worker
        Makes a worker where it is to run.
    on_gpu
        Whether its workers take GPUs, where there are any.
    """

    name: str
    make_worker: Callable[[], Worker[Any]]
    on_gpu: bool = False


class Shift(Protocol):
    """Workers at work: units of any of their kinds may join at any time.

    Units of a later kind go before those of an earlier one, so that what was begun is brought to its end.
    """

    @property
    def unfinished(self) -> int:
        """Units that are not done."""
        ...

    def add(self, kind: str, units: Sequence[WorkUnit[Any]]) -> None:
        """Let units be done after those of their kind that wait."""
        ...

    def give_up(self, kind: str, items: Sequence[Any], reason: str) -> None:
        """Let a worker publish that items failed, without touching them."""
        ...

    def finish(self) -> None:
        """Note that hardly anything will join: workers that have nothing to do may go."""
        ...

    def reports(self, seconds: float) -> list[tuple[str, UnitReport]]:
        """Return the next reports with their kinds, none if none comes within about ``seconds``."""
        ...


class Engine(ABC):
    """Runs units on workers, in any order."""

    @property
    @abstractmethod
    def has_gpus(self) -> bool:
        """Whether there is a GPU where its workers run."""

    @abstractmethod
    def shift(self, kinds: Sequence[WorkerKind]) -> AbstractContextManager[Shift]:
        """Bring workers together; left by an interrupt, they publish what they have."""

    def run(
        self, units: Sequence[WorkUnit[ItemT]], make_worker: Callable[[], Worker[ItemT]], *, on_gpu: bool
    ) -> Generator[UnitReport]:
        """Yield a report for each unit as it ends; closed early, workers publish what they have."""
        with self.shift([WorkerKind("", make_worker, on_gpu)]) as shift:
            shift.add("", units)
            shift.finish()
            while shift.unfinished:
                for _, report in shift.reports(PULSE_SECONDS):
                    yield report
