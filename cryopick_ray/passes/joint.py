"""What several pickers found in one micrograph, joined, and what they agree on there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.passes.agreed_reliability import AgreedReliability
from cryopick_ray.passes.clusters import ABSENT, CandidatePlaces, Groups
from cryopick_ray.passes.consensus import Votes, consensus
from cryopick_ray.picks.columns import COLUMNS, among
from cryopick_ray.picks.reasons import Why, none
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph

MODEL = "consensus"
"""What the table says has found its picks."""


@dataclass(frozen=True)
class Joint:
    """The picks of several pickers in one micrograph, grouped.

    Attributes
    ----------
    found
        Each picker's picks by its name, what is not picked left out; none where it has not seen it.
    lists
        Their places.
    groups
        Of the places.
    """

    micrograph: PickedMicrograph
    found: Mapping[str, MicrographPicks | None]
    lists: Mapping[str, CandidatePlaces]
    groups: Groups

    @property
    def looked(self) -> NDArray[np.bool_]:
        """``(k,)`` which pickers have seen the micrograph."""
        return np.array([self.found[name] is not None for name in self.groups.names])


def join(
    micrograph: PickedMicrograph,
    found: Mapping[str, MicrographPicks | None],
    radius_A: float,
    way: Callable[[Mapping[str, CandidatePlaces], float], Groups],
) -> Joint:
    """Return the picks of several pickers in one micrograph, grouped.

    Parameters
    ----------
    found
        Each picker's candidates there by its name; what is not picked has no vote.
    radius_A
        How far apart places of one particle are at most.
    way
        How places are grouped.
    """
    assert micrograph.pixel_size_A is not None
    picks = {name: None if one is None else one.take(one.picked) for name, one in found.items()}
    nowhere = np.empty(0, np.float32)
    lists = {
        name: CandidatePlaces(nowhere, nowhere, nowhere)
        if one is None
        else CandidatePlaces(one.x_px, one.y_px, one.score)
        for name, one in picks.items()
    }
    return Joint(micrograph, picks, lists, way(lists, radius_A / micrograph.pixel_size_A))


def voted(
    joint: Joint, told: AgreedReliability, level: NDArray[np.uint8], diameter_A: float, votes: Votes
) -> MicrographPicks:
    """Return every group as a candidate; those with enough votes are picked.

    Parameters
    ----------
    told
        How reliable the pickers are.
    level
        ``(g, k)`` levels of the members' scores.
    """
    told = told.told_by(joint.looked)
    one = consensus(joint.groups, joint.lists, level, told, votes=1)
    is_kept = one.score > 0.5 if votes == "weighted" else one.votes >= votes
    more: dict[str, NDArray[Any]] = _carried(joint, told, one.members)
    more["votes"] = one.votes
    more["source"] = _sources(one.names, one.members != ABSENT)
    return (
        MicrographPicks(
            joint.micrograph,
            one.x_px.astype(np.float32),
            one.y_px.astype(np.float32),
            one.score.astype(np.float32),
            none(len(one.score)),
            diameter_A,
            more=more,
            model=MODEL,
        )
        .marked(Why.TOO_FEW_VOTES, ~is_kept)
        .best_first()
    )


def _sources(names: tuple[str, ...], has: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Return who has each of ``(g, k)`` groups, by names."""
    patterns, which = np.unique(has, axis=0, return_inverse=True)
    texts = ["+".join(name for name, there in zip(names, row, strict=True) if there) for row in patterns]
    return np.array(texts, object)[which.ravel()]


def _carried(joint: Joint, told: AgreedReliability, members: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
    """Return the columns that pickers know, of each group those of the most reliable one that knows."""
    picks = [joint.found[name] for name in joint.groups.names]
    names = among(name for one in picks if one is not None for name in one.more)
    more = {name: COLUMNS[name].nothing(len(members)) for name in names if name not in ("votes", "source")}
    for picker in np.argsort(told.precision, kind="stable").tolist():  # the best writes last
        rows = np.flatnonzero(members[:, picker] != ABSENT)
        for name, values in (one.more if (one := picks[picker]) else {}).items():
            if name in more:
                own = values[members[rows, picker]]
                known = COLUMNS[name].is_known(own)
                more[name][rows[known]] = own[known]
    return more
