"""The picks of several pickers in one micrograph, grouped, and the consensus of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.passes.agreed_reliability import AgreedReliability
from cryopick_ray.passes.clusters import ABSENT, CandidatePlaces, Groups
from cryopick_ray.passes.consensus import Votes, consensus
from cryopick_ray.picks.columns import COLUMNS, in_column_order
from cryopick_ray.picks.reasons import Reason, none
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph

MODEL = "consensus"
"""Model name of the table's picks."""


@dataclass(frozen=True)
class JoinedPicks:
    """The picks of several pickers in one micrograph, grouped.

    Attributes
    ----------
    found
        Each picker's picks by its name, without other candidates; ``None`` where it has not seen it.
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
    def has_seen(self) -> NDArray[np.bool_]:
        """``(k,)`` which pickers have seen the micrograph."""
        return np.array([self.found[name] is not None for name in self.groups.names])


def join(
    micrograph: PickedMicrograph,
    found: Mapping[str, MicrographPicks | None],
    radius_A: float,
    group: Callable[[Mapping[str, CandidatePlaces], float], Groups],
) -> JoinedPicks:
    """Return the picks of several pickers in one micrograph, grouped.

    Parameters
    ----------
    found
        Each picker's candidates there by its name; what is not picked has no vote.
    radius_A
        How far apart places of one particle are at most.
    group
        Groups places, given a radius in pixels.
    """
    assert micrograph.pixel_size_A is not None
    picks = {
        name: None if candidates is None else candidates.take(candidates.picked)
        for name, candidates in found.items()
    }
    nowhere = np.empty(0, np.float32)
    lists = {
        name: CandidatePlaces(nowhere, nowhere, nowhere)
        if places is None
        else CandidatePlaces(places.x_px, places.y_px, places.score)
        for name, places in picks.items()
    }
    return JoinedPicks(micrograph, picks, lists, group(lists, radius_A / micrograph.pixel_size_A))


def voted(
    joint: JoinedPicks,
    reliability: AgreedReliability,
    level: NDArray[np.uint8],
    diameter_A: float,
    votes: Votes,
) -> MicrographPicks:
    """Return every group as a candidate; those with enough votes are picked.

    Parameters
    ----------
    reliability
        How reliable the pickers are.
    level
        ``(g, k)`` levels of the members' scores.
    """
    reliability = reliability.for_pickers(joint.has_seen)
    agreed = consensus(joint.groups, joint.lists, level, reliability, votes=1)
    is_kept = agreed.score > 0.5 if votes == "weighted" else agreed.votes >= votes
    more: dict[str, NDArray[Any]] = _carried(joint, reliability, agreed.members)
    more["votes"] = agreed.votes
    more["source"] = _sources(agreed.names, agreed.members != ABSENT)
    return (
        MicrographPicks(
            joint.micrograph,
            agreed.x_px.astype(np.float32),
            agreed.y_px.astype(np.float32),
            agreed.score.astype(np.float32),
            none(len(agreed.score)),
            diameter_A,
            more=more,
            model=MODEL,
        )
        .marked(Reason.TOO_FEW_VOTES, ~is_kept)
        .best_first()
    )


def _sources(names: tuple[str, ...], has: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Return the names of the pickers that have each of ``(g, k)`` groups."""
    patterns, which = np.unique(has, axis=0, return_inverse=True)
    texts = ["+".join(name for name, is_in in zip(names, row, strict=True) if is_in) for row in patterns]
    return np.array(texts, object)[which.ravel()]


def _carried(
    joint: JoinedPicks, reliability: AgreedReliability, members: NDArray[np.intp]
) -> dict[str, NDArray[Any]]:
    """Return the columns that pickers know, of each group those of the most reliable one that knows."""
    picks = [joint.found[name] for name in joint.groups.names]
    names = in_column_order(name for picked in picks if picked is not None for name in picked.more)
    more = {name: COLUMNS[name].unknown(len(members)) for name in names if name not in ("votes", "source")}
    for picker in np.argsort(reliability.precision, kind="stable").tolist():  # the best writes last
        rows = np.flatnonzero(members[:, picker] != ABSENT)
        for name, values in (found.more if (found := picks[picker]) else {}).items():
            if name in more:
                values_here = values[members[rows, picker]]
                is_known = COLUMNS[name].is_known(values_here)
                more[name][rows[is_known]] = values_here[is_known]
    return more
