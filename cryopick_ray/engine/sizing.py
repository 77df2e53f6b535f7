"""Decisions about how many workers there are, as pure functions."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PoolSize:
    """Workers wanted.

    Attributes
    ----------
    least
        Asked for at all times, room or not: what waits for a place is what makes an elastic cluster grow.
    most
        Never more than these; ``None`` for as many as there is room for.
    """

    least: int = 1
    most: int | None = None


def hires(size: PoolSize, *, have: int, starting: int, jobs: int, room: int) -> int:
    """Return how many workers to ask for now.

    Beyond the least, workers follow the room there is, once all that were asked for have started.

    Parameters
    ----------
    have, starting
        Workers, and those of them that have not started.
    jobs
        Jobs not done; never more workers than these.
    room
        Further workers that the cluster has a place for.
    """
    wanted = jobs if size.most is None else min(size.most, jobs)
    needed = min(size.least, wanted) - have
    welcome = 0 if starting else min(room, wanted - have)
    return max(0, needed, welcome)


def keeps(*, idle: int, busy: int) -> int:
    """Return how many idle workers to keep: each may have to do a straggler's unit again."""
    return min(idle, busy)
