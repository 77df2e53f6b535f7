"""Groups of many micrographs -> how often which pickers agree, and how sure of it they are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError
from cryopick_ray.passes.clusters import CandidatePlaces, Groups

LEVELS = 3
"""Of a picker's scores: the lowest third of all of them, the middle one, the highest."""


@dataclass(frozen=True)
class Patterns:
    """How many groups have places of which pickers, at which level of their scores.

    Attributes
    ----------
    names
        ``k`` pickers, sorted.
    level
        ``(p, k)`` patterns that occur, each once: 0 where a picker has no place, 1 to 3 by its score.
    count
        ``(p,)`` groups of each.
    """

    names: tuple[str, ...]
    level: NDArray[np.uint8]
    count: NDArray[np.int64]

    @property
    def places(self) -> NDArray[np.int64]:
        """``(k,)`` places of each picker."""
        return self.shared.diagonal()

    @property
    def shared(self) -> NDArray[np.int64]:
        """``(k, k)`` groups that each two pickers share; a picker's own places on the diagonal."""
        has = (self.level > 0).astype(np.int64)
        return np.asarray((has * self.count[:, None]).T @ has)


def score_cuts(score: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return ``(2,)`` scores that part a picker's ``(n,)`` scores of a whole data set in thirds.

    None, if it has no scores.
    """
    finite = score[np.isfinite(score)]
    if not len(finite):
        return np.empty(0)
    return np.asarray(np.quantile(finite.astype(np.float64), np.arange(1, LEVELS) / LEVELS))


def levels(
    groups: Groups, lists: Mapping[str, CandidatePlaces], cuts: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.uint8]:
    """Return ``(g, k)`` levels of the members' scores, 0 where there is no member.

    Parameters
    ----------
    groups
        Of one micrograph.
    lists
        Each picker's places there by its name.
    cuts
        Each picker's :func:`score_cuts`; a score at a cut is above it, no score is at level 1.
    """
    found = np.zeros(groups.members.shape, np.uint8)
    for picker, name in enumerate(groups.names):
        score = lists[name].score.astype(np.float64)
        level = 1 + np.searchsorted(cuts[name], np.nan_to_num(score, nan=-np.inf), side="right")
        rows = groups.has[:, picker]
        found[rows, picker] = level[groups.members[rows, picker]]
    return found


def patterns(names: tuple[str, ...], level: NDArray[np.uint8]) -> Patterns:
    """Count the patterns among ``(g, k)`` levels of groups."""
    rows, count = np.unique(level, axis=0, return_counts=True)
    return Patterns(names, rows, count.astype(np.int64))


def total(parts: Iterable[Patterns]) -> Patterns:
    """Return the patterns of several micrographs or partitions, in whatever order these come.

    Raises
    ------
    UsageError
        If there are none, or their pickers differ.
    """
    names: tuple[str, ...] | None = None
    counts: dict[bytes, int] = {}
    for part in parts:
        if names is not None and part.names != names:
            raise UsageError(
                f"pickers are {', '.join(names)} and {', '.join(part.names)}; give one set for all"
            )
        names = part.names
        for row, more in zip(part.level, part.count.tolist(), strict=True):
            counts[row.tobytes()] = counts.get(row.tobytes(), 0) + more
    if names is None:
        raise UsageError("there are no micrographs; give some `inputs`")
    keys = sorted(counts)
    level = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), len(names))
    return Patterns(names, level, np.array([counts[key] for key in keys], np.int64))
