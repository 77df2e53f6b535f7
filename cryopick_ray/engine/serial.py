"""The serial engine: the reference, and the debugger's friend."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cryopick_ray.engine.engine import Engine, Shift, WorkerKind
from cryopick_ray.engine.unit import UnitReport, Worker, WorkUnit


class SerialEngine(Engine):
    """Runs every unit in this process, one after another."""

    @property
    def has_gpus(self) -> bool:
        """Whether this machine has a GPU."""
        import torch

        return torch.cuda.is_available()

    @contextmanager
    def shift(self, kinds: Sequence[WorkerKind]) -> Iterator[Shift]:
        """Make a worker of each kind once it is needed; where it runs its own device decides."""
        yield _SerialShift(kinds)


class _SerialShift:
    """The workers of this process."""

    def __init__(self, kinds: Sequence[WorkerKind]) -> None:
        self._kinds = {kind.name: kind for kind in kinds}
        self._workers: dict[str, Worker[Any]] = {}
        self._waiting: dict[str, deque[tuple[WorkUnit[Any], str]]] = {name: deque() for name in self._kinds}

    @property
    def unfinished(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, kind: str, units: Sequence[WorkUnit[Any]]) -> None:
        self._waiting[kind].extend((unit, "") for unit in units)

    def give_up(self, kind: str, items: Sequence[Any], reason: str) -> None:
        self._waiting[kind].append((WorkUnit(tuple(items)), reason))

    def finish(self) -> None:
        """Do nothing: the only worker there is stays."""

    def reports(self, seconds: float) -> list[tuple[str, UnitReport]]:
        name = next((name for name in reversed(self._waiting) if self._waiting[name]), None)
        if name is None:
            time.sleep(seconds)
            return []
        if name not in self._workers:
            self._workers[name] = self._kinds[name].make_worker()
        unit, reason = self._waiting[name].popleft()
        worker = self._workers[name]
        return [(name, worker.give_up(unit.items, reason) if reason else worker.process(unit.items))]
