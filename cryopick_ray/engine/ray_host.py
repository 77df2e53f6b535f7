"""The actor: a worker's process on some node."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray

from cryopick_ray.engine.unit import UnitReport, Worker


class PickHost:
    """Makes its workers where it runs. On SIGTERM it begins nothing new: its node is about to vanish."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker[Any]] = {}
        self._told_to_leave = False

    def where(self) -> str:
        """Return the node's id."""
        signal.signal(signal.SIGTERM, self._hear)
        return str(ray.get_runtime_context().get_node_id())

    def start(self, makers: Mapping[str, Callable[[], Worker[Any]]]) -> str:
        """Make a worker of each kind: one that cannot be made is told before there is work for it."""
        self._workers = {kind: make_worker() for kind, make_worker in makers.items()}
        return ""

    def process(self, kind: str, items: Sequence[Any]) -> UnitReport:
        """Let a worker do a unit."""
        return self._workers[kind].process(items, self._leaving)

    def give_up(self, kind: str, items: Sequence[Any], reason: str) -> UnitReport:
        """Let a worker publish that the items failed."""
        return self._workers[kind].give_up(items, reason)

    def _leaving(self) -> bool:
        return self._told_to_leave or bool(ray.get_runtime_context().is_canceled())

    def _hear(self, *_: object) -> None:
        self._told_to_leave = True
