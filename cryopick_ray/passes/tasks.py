"""Something done to each partition of a table by Dask: a task each, none of which needs another."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from dask.base import compute
from dask.delayed import delayed

P = TypeVar("P")
T = TypeVar("T")


def map_partitions(do: Callable[[P], T], parts: Sequence[P]) -> list[T]:
    """Return what is done to each partition, in their order."""

    def one(number: int) -> T:  # Dask would search an argument for tasks, every name in it
        return do(parts[number])

    return list(compute(*(delayed(one)(number) for number in range(len(parts))), scheduler="threads"))
