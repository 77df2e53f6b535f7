"""Dask tasks over the partitions of a table: one task each, independent of the others."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from dask.base import compute
from dask.delayed import delayed

P = TypeVar("P")
T = TypeVar("T")


def map_partitions(function: Callable[[P], T], parts: Sequence[P]) -> list[T]:
    """Return ``function(part)`` of each partition, in order."""

    def task(number: int) -> T:  # Dask would search an argument for tasks, every name in it
        return function(parts[number])

    return list(compute(*(delayed(task)(number) for number in range(len(parts))), scheduler="threads"))
