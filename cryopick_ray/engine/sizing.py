"""How many workers a pool has, as pure functions."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PoolSize:
    """Limits of the number of workers.

    Attributes
    ----------
    least
        Requested at all times: requests that the cluster cannot place yet make an elastic one grow.
    most
        Upper limit; ``None`` for as many as the cluster can place.
    """

    least: int = 1
    most: int | None = None


def workers_to_add(size: PoolSize, *, have: int, starting: int, jobs: int, room: int) -> int:
    """Return how many workers to request now.

    Beyond the least, workers follow the free resources, once all requested ones have started.

    Parameters
    ----------
    have, starting
        Workers, and those of them that have not started.
    jobs
        Jobs not done; never more workers than these.
    room
        Further workers that the cluster can place.
    """
    wanted = jobs if size.most is None else min(size.most, jobs)
    needed = min(size.least, wanted) - have
    extra = 0 if starting else min(room, wanted - have)
    return max(0, needed, extra)


def idle_to_keep(*, idle: int, busy: int) -> int:
    """Return how many idle workers to keep: each may have to do a straggler's unit again."""
    return min(idle, busy)
