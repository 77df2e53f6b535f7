"""Pools of Ray actors at work side by side: those with a GPU each, and those without."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import ray

from cryopick_ray.engine.engine import PULSE_SECONDS
from cryopick_ray.engine.ray_pool import RayPool
from cryopick_ray.engine.unit import UnitReport, WorkUnit

DRAIN_SECONDS = 20.0
"""For workers to publish what they have, once the run is told to end."""


class RaySession:
    """Passes units to the pool of their kind and collects the reports of all pools.

    Parameters
    ----------
    pools
        By kind; one pool may have several kinds.
    """

    def __init__(self, pools: dict[str, RayPool]) -> None:
        self._by_kind = pools
        self._pools = list(dict.fromkeys(pools.values()))

    def __enter__(self) -> Self:
        """Begin; actors are made once there is work."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """End all actors; after an interrupt they first publish what they have."""
        if kind is not None and issubclass(kind, KeyboardInterrupt | GeneratorExit):
            busy = [ref for pool in self._pools for ref in pool.leave()]
            if busy:
                ray.wait(busy, num_returns=len(busy), timeout=DRAIN_SECONDS)
        for pool in self._pools:
            pool.close()

    @property
    def unfinished(self) -> int:
        """Number of units that are not done."""
        return sum(pool.jobs.unfinished for pool in self._pools)

    def add(self, kind: str, units: Sequence[WorkUnit[Any]]) -> None:
        """Queue units."""
        self._by_kind[kind].jobs.add(kind, units)
        self._by_kind[kind].feed_idle()

    def give_up(self, kind: str, items: Sequence[Any], reason: str) -> None:
        """Let a worker publish that items failed."""
        self._by_kind[kind].jobs.give_up(kind, WorkUnit(tuple(items)), reason)
        self._by_kind[kind].feed_idle()

    def finish(self) -> None:
        """End idle actors from now on."""
        for pool in self._pools:
            pool.finish()

    def reports(self, seconds: float) -> list[tuple[str, UnitReport]]:
        """Return the next reports with their kinds; notes of no unit come under an empty name."""
        owners = {}
        for pool in self._pools:
            pool.check(time.monotonic())
            owners.update(dict.fromkeys(pool.calls, pool))
        pause = min(seconds, PULSE_SECONDS)
        if not owners:
            time.sleep(pause)
        ready = ray.wait(list(owners), timeout=pause)[0] if owners else []
        reports = [report for ref in ready if (report := owners[ref].handle_result(ref)) is not None]
        notes = tuple(note for pool in self._pools for note in pool.notes())
        return [*reports, *([("", UnitReport(0, notes=notes))] if notes else [])]
