"""How work is split into units, and what becomes of a unit whose worker died, as pure functions."""

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

    So a resumed run splits its work alike, whatever its number of workers.
    """
    return max(1, min(UNIT_MAX, total // UNITS_WANTED))


def split_units(items: Sequence[ItemT], size: int) -> list[WorkUnit[ItemT]]:
    """Split ``items`` into units of ``size``, in order, each exactly once."""
    return [WorkUnit(tuple(items[start : start + size])) for start in range(0, len(items), size)]


def after_death(unit: WorkUnit[Item], deaths: int) -> Verdict:
    """Return what to do with a unit whose worker died for the ``deaths``-th time.

    After one death it is tried again. After two, a single item is given up; several are tried one by one.
    """
    if deaths < 2:
        return "retry"
    return "split" if len(unit.items) > 1 else "give up"
