"""The actor: a worker's process on some node."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from typing import Any

import ray

from cryopick_ray.engine.unit import UnitReport, Worker


class PickHost:
    """Makes its worker where it runs. On SIGTERM it begins nothing new: its node is about to vanish."""

    def __init__(self) -> None:
        self._worker: Worker[Any] | None = None
        self._told_to_leave = False

    def where(self) -> str:
        """Return the node's id."""
        signal.signal(signal.SIGTERM, self._hear)
        return str(ray.get_runtime_context().get_node_id())

    def start(self, make_worker: Callable[[], Worker[Any]]) -> str:
        """Make the worker."""
        self._worker = make_worker()
        return ""

    def process(self, items: Sequence[Any]) -> UnitReport:
        """Let the worker do a unit."""
        return self._made().process(items, self._leaving)

    def give_up(self, items: Sequence[Any], reason: str) -> UnitReport:
        """Let the worker publish that the items failed."""
        return self._made().give_up(items, reason)

    def _made(self) -> Worker[Any]:
        if self._worker is None:
            raise RuntimeError("the worker was not made")
        return self._worker

    def _leaving(self) -> bool:
        return self._told_to_leave or bool(ray.get_runtime_context().is_canceled())

    def _hear(self, *_: object) -> None:
        self._told_to_leave = True
