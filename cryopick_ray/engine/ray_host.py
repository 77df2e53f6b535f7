"""The Ray actor that runs workers in its process."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray

from cryopick_ray.engine.unit import UnitReport, Worker


class PickHost:
    """An actor that makes and runs workers; on SIGTERM, when its node is leaving, it begins nothing new."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker[Any]] = {}
        self._must_leave = False

    def where(self) -> str:
        """Return the node's id."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        return str(ray.get_runtime_context().get_node_id())

    def start(self, makers: Mapping[str, Callable[[], Worker[Any]]]) -> str:
        """Make a worker of each kind now, so that one that cannot be made fails before it gets work."""
        self._workers = {kind: make_worker() for kind, make_worker in makers.items()}
        return ""

    def process(self, kind: str, items: Sequence[Any]) -> UnitReport:
        """Process a unit."""
        return self._workers[kind].process(items, self._leaving)

    def give_up(self, kind: str, items: Sequence[Any], reason: str) -> UnitReport:
        """Let a worker publish that the items failed."""
        return self._workers[kind].give_up(items, reason)

    def _leaving(self) -> bool:
        return self._must_leave or bool(ray.get_runtime_context().is_canceled())

    def _on_sigterm(self, *_: object) -> None:
        self._must_leave = True
