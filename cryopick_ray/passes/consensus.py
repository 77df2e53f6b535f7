"""Groups of places that several pickers give -> the particles that enough of them vote for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError
from cryopick_ray.passes.agreed_reliability import AgreedReliability
from cryopick_ray.passes.clusters import CandidatePlaces, Groups

Votes = int | Literal["weighted"]
"""How many pickers a particle needs, or that it must be more likely one than not."""


@dataclass(frozen=True)
class Consensus:
    """Particles of one micrograph, in the order of their groups.

    Attributes
    ----------
    names
        ``k`` pickers, sorted.
    x_px, y_px
        ``(n,)`` columns and rows of centres.
    score
        ``(n,)`` the probability that it is a particle, or, where agreement tells none, the share of votes.
    votes
        ``(n,)`` how many pickers have it.
    members
        ``(n, k)`` each picker's place as an index into its own list, -1 where it has none.
    """

    names: tuple[str, ...]
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    score: NDArray[np.float64]
    votes: NDArray[np.uint8]
    members: NDArray[np.intp]


def consensus(
    groups: Groups,
    lists: Mapping[str, CandidatePlaces],
    level: NDArray[np.uint8],
    reliability: AgreedReliability,
    votes: Votes,
) -> Consensus:
    """Return the groups that are voted for, each where its most reliable member is.

    That is nearer to the truth than any mean of the members, which poor centring spoils more than it helps.
    Where members count alike, the place is their mean.

    Parameters
    ----------
    groups
        Of one micrograph.
    lists
        Each picker's places there by its name.
    level
        ``(g, k)`` levels of the members' scores (:func:`cryopick_ray.passes.patterns.levels`).
    reliability
        Of the pickers in the whole data set.
    votes
        How many pickers must have a place in a group; ``"weighted"``: the group must be more likely a
        particle than not, or, where agreement does not tell, more than half of the pickers must have it.

    Raises
    ------
    UsageError
        If more votes are asked for than there are pickers, or none; or if the pickers are not those of the
        reliability.
    """
    k = len(groups.names)
    if reliability.names != groups.names:
        raise UsageError(
            f"pickers are {', '.join(groups.names)}, and the reliability is of "
            f"{', '.join(reliability.names)}: measure it on the same `inputs`"
        )
    if votes != "weighted" and not 1 <= votes <= k:
        raise UsageError(f"{votes} votes are asked for of {k} pickers; give `votes` from 1 to {k}")
    score, number = reliability.posterior(level), groups.has.sum(axis=1)
    kept = score > 0.5 if votes == "weighted" else number >= votes
    members = groups.members[kept]
    trust = np.where(groups.has[kept], reliability.precision, -1.0)
    is_best = trust == trust.max(axis=1, keepdims=True, initial=-1.0)
    x_px, y_px = (
        _mean(members, [getattr(lists[name], column) for name in groups.names], is_best)
        for column in ("x_px", "y_px")
    )
    return Consensus(groups.names, x_px, y_px, score[kept], number[kept].astype(np.uint8), members)


def _mean(
    members: NDArray[np.intp], columns: list[NDArray[np.floating]], some: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return ``(n,)`` means of what some ``(n, k)`` members have; exact where all have the same."""
    places = [np.append(column, 0.0)[members[:, picker]] for picker, column in enumerate(columns)]
    values = np.column_stack([np.empty((len(members), 0)), *places])
    first = np.take_along_axis(values, np.argmax(some, axis=1)[:, None], axis=1)
    moved = np.where(some, values - first, 0.0).sum(axis=1) / some.sum(axis=1)
    return np.asarray(first[:, 0] + moved)
