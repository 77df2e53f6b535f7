"""The units of a run as jobs: waiting, in hand, done. No unit is lost, none counts twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryopick_ray.engine.unit import UnitReport, WorkUnit
from cryopick_ray.engine.unit_rules import after_death, cut


@dataclass(eq=False, slots=True)
class QueuedUnit:
    """A unit of some kind to be done, or with a ``reason`` to be given up.

    Attributes
    ----------
    deaths
        Workers that died under it.
    copies
        Workers that have it in hand: two while a straggler is done again.
    """

    kind: str
    unit: WorkUnit[Any]
    reason: str = ""
    deaths: int = 0
    copies: int = 0
    is_done: bool = False

    @property
    def is_alone(self) -> bool:
        """Whether the run waits for one worker to do it."""
        return self.copies == 1 and not self.is_done


class UnitQueue:
    """The jobs of a run; a job whose worker died under it waits behind all others.

    Parameters
    ----------
    kinds
        Jobs of a later kind go before those of an earlier one.
    """

    def __init__(self, kinds: Sequence[str]) -> None:
        self._fresh: dict[str, deque[WorkUnit[Any]]] = {kind: deque() for kind in kinds}
        self._returned: deque[QueuedUnit] = deque()
        self._suspects: deque[QueuedUnit] = deque()
        self._open = 0

    def add(self, kind: str, units: Sequence[WorkUnit[Any]]) -> None:
        """Let units wait behind those of their kind."""
        self._fresh[kind].extend(units)
        self._open += len(units)

    def give_up(self, kind: str, unit: WorkUnit[Any], reason: str) -> None:
        """Let a unit wait that is to be given up."""
        self._returned.append(QueuedUnit(kind, unit, reason))
        self._open += 1

    @property
    def waiting(self) -> int:
        """Jobs that nobody has in hand."""
        return sum(map(len, self._fresh.values())) + len(self._returned) + len(self._suspects)

    @property
    def unfinished(self) -> int:
        """Jobs waiting or in hand."""
        return self._open

    def take(self) -> QueuedUnit:
        """Return the next job that waits."""
        kind = next((kind for kind in reversed(self._fresh) if self._fresh[kind]), None)
        if self._returned:
            job = self._returned.popleft()
        elif kind is not None:
            job = QueuedUnit(kind, self._fresh[kind].popleft())
        else:
            job = self._suspects.popleft()
        job.copies += 1
        return job

    def copy(self, job: QueuedUnit) -> None:
        """Note that another worker takes a job that one has in hand."""
        job.copies += 1

    def end(self, job: QueuedUnit, report: UnitReport) -> UnitReport | None:
        """Take a worker's report; ``None`` if another worker had reported the unit before.

        What the worker left undone becomes a job of its own, unless a copy of the whole is in hand.
        """
        job.copies -= 1
        if job.is_done or (report.undone and job.copies):
            return None
        job.is_done = True
        if report.undone:
            rest = WorkUnit(tuple(job.unit.items[position] for position in report.undone))
            self._returned.appendleft(QueuedUnit(job.kind, rest))
        else:
            self._open -= 1
        return report

    def put_back(self, job: QueuedUnit) -> None:
        """Let a job that a worker dropped wait again, unless another has it or did it."""
        job.copies -= 1
        if not job.is_done and not job.copies:
            self._returned.appendleft(job)

    def blame(self, job: QueuedUnit, why: str) -> str:
        """Put back a job under which a worker died; return what a person is told if it is given up."""
        job.copies -= 1
        job.deaths += 1
        if job.is_done or job.copies:
            return ""
        match after_death(job.unit, job.deaths):
            case "retry":
                self._suspects.append(job)
            case "split":
                singles = [QueuedUnit(job.kind, single) for single in cut(job.unit.items, 1)]
                self._returned.extend(singles)
                self._open += len(singles) - 1
            case "give up":
                job.reason = f"it killed its worker {'twice' if job.deaths == 2 else 'again'} ({why})"
                self._returned.appendleft(job)
                return f"given up: {job.unit.items[0].micrograph_id}: {job.reason}"
        return ""
