"""Decisions, as pure functions: how work is cut, and what to do when a worker dies."""

from collections.abc import Sequence
from typing import Literal

from cryopick_ray.engine.unit import Item, ItemT, WorkUnit

UNITS_WANTED = 64
"""Enough units that a few workers share the work evenly to the end."""
UNIT_MAX = 64
"""Micrographs in a unit at most: what a crash repeats, and rows enough for a Parquet file."""

Verdict = Literal["retry", "split", "give up"]


def unit_size(total: int) -> int:
    """Return how many micrographs make a unit in a run of ``total``; workers do not matter.

    A resumed run, whatever its number of workers, cuts its work at the same places.
    """
    return max(1, min(UNIT_MAX, total // UNITS_WANTED))


def cut(items: Sequence[ItemT], size: int) -> list[WorkUnit[ItemT]]:
    """Cut ``items`` into units of ``size``, in order, nothing left out or doubled."""
    return [WorkUnit(tuple(items[start : start + size])) for start in range(0, len(items), size)]


def after_death(unit: WorkUnit[Item], deaths: int) -> Verdict:
    """Say what becomes of a unit whose worker died under it for the ``deaths``-th time.

    Once is bad luck. Twice is a suspect: alone, it is given up; in company, each is tried alone.
    """
    if deaths < 2:
        return "retry"
    return "split" if len(unit.items) > 1 else "give up"
