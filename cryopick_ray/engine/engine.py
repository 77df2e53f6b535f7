"""The interface of an engine: workers of several kinds that process units as they are added."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from cryopick_ray.engine.unit import ItemT, UnitReport, Worker, WorkUnit

PULSE_SECONDS = 1.0
"""How long a session waits for a report before its caller may do other work."""


@dataclass(frozen=True)
class WorkerKind:
    """A kind of work, such as ingest or picking.

    Attributes
    ----------
    name
        Name under which its units are reported.
    make_worker
        Makes a worker; called in the worker's process.
    on_gpu
        Whether its workers take GPUs, where there are any.
    """

    name: str
    make_worker: Callable[[], Worker[Any]]
    on_gpu: bool = False


class WorkSession(Protocol):
    """Running workers, to which units of any of their kinds may be added at any time.

    Units of a later kind go first, so that micrographs that were begun are finished.
    """

    @property
    def unfinished(self) -> int:
        """Number of units that are not done."""
        ...

    def add(self, kind: str, units: Sequence[WorkUnit[Any]]) -> None:
        """Queue units behind those of their kind."""
        ...

    def give_up(self, kind: str, items: Sequence[Any], reason: str) -> None:
        """Let a worker publish that items failed, without touching them."""
        ...

    def finish(self) -> None:
        """Note that hardly any unit will be added: idle workers may end."""
        ...

    def reports(self, seconds: float) -> list[tuple[str, UnitReport]]:
        """Return the next reports with their kinds; empty if none arrives within about ``seconds``."""
        ...


class Engine(ABC):
    """Runs units on workers, in any order."""

    @property
    @abstractmethod
    def has_gpus(self) -> bool:
        """Whether its workers can have a GPU."""

    @abstractmethod
    def open_session(self, kinds: Sequence[WorkerKind]) -> AbstractContextManager[WorkSession]:
        """Start workers; on an interrupt they publish what they have."""

    def run(
        self, units: Sequence[WorkUnit[ItemT]], make_worker: Callable[[], Worker[ItemT]], *, on_gpu: bool
    ) -> Generator[UnitReport]:
        """Yield a report for each unit as it ends; closed early, workers publish what they have."""
        with self.open_session([WorkerKind("", make_worker, on_gpu)]) as session:
            session.add("", units)
            session.finish()
            while session.unfinished:
                for _, report in session.reports(PULSE_SECONDS):
                    yield report
