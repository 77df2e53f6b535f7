"""The consensus table of several pickers' tables, with Dask: one task per partition, no shuffle."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cryopick_ray import __version__
from cryopick_ray.errors import UsageError
from cryopick_ray.passes.agreed_reliability import AgreedReliability, reliability
from cryopick_ray.passes.cliques import heaviest_cliques
from cryopick_ray.passes.clusters import greedy
from cryopick_ray.passes.consensus import Votes
from cryopick_ray.passes.joint import JoinedPicks, join, voted
from cryopick_ray.passes.patterns import Patterns, levels, patterns, score_cuts, total
from cryopick_ray.passes.tasks import map_partitions
from cryopick_ray.picks.index import TableHistory, write_index
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.write_table import check_replaceable, write_part
from cryopick_ray.store.publish import whole_folder

PARTITION_PICKS = 100_000
"""Picks of all pickers together in a partition, about."""
LEVEL_SCORES = 1_000_000
"""Scores of a picker that its levels are found on, about at most."""


class VoteSource(Protocol):
    """One picker's table; a :class:`~cryopick_ray.picks.table.PickTable` is one."""

    def of(self, micrograph_ids: Sequence[str]) -> dict[str, MicrographPicks]:
        """Return micrographs by id; those that it does not have are left out."""
        ...


@dataclass(frozen=True)
class VoteSettings:
    """Settings of a vote.

    Attributes
    ----------
    votes
        Pickers that a particle needs; ``weighted``: it must be more likely a particle than not, by how
        reliable agreement shows the pickers to be.
    radius_diameters
        How far apart, in diameters, places of one particle are at most.
    crowded
        Whether places are grouped by the integer programme; else greedily, nearest first.
    """

    votes: Votes = "weighted"
    radius_diameters: float = 0.5
    crowded: bool = False


@dataclass(frozen=True)
class VoteResult:
    """The result of a vote.

    Attributes
    ----------
    patterns
        How often which pickers agree.
    reliability
        Reliability of each picker.
    micrographs, groups, picks
        How many.
    greedily
        Parts of micrographs that were too entangled for the integer programme.
    """

    patterns: Patterns
    reliability: AgreedReliability
    micrographs: int
    groups: int
    picks: int
    greedily: int


@dataclass(frozen=True)
class _Part:
    """Consecutive micrographs of one data set in which any picker has picks."""

    dataset: str
    number: int
    micrographs: tuple[PickedMicrograph, ...]


@dataclass(frozen=True)
class _VoteTask:
    """Everything that the task of a partition needs."""

    sources: Mapping[str, VoteSource]
    names: tuple[str, ...]
    cuts: Mapping[str, NDArray[np.float64]]
    diameter_A: float
    how: VoteSettings

    @property
    def radius_A(self) -> float:
        return self.how.radius_diameters * self.diameter_A

    def join(self, part: _Part, weights: Mapping[str, float]) -> list[JoinedPicks]:
        """Return what all pickers found in a partition, grouped."""
        ids = [micrograph.micrograph_id for micrograph in part.micrographs]
        found = {name: source.of(ids) for name, source in self.sources.items()}
        group = partial(heaviest_cliques, weights=weights) if self.how.crowded else greedy
        return [
            join(
                micrograph,
                {name: own.get(micrograph.micrograph_id) for name, own in found.items()},
                self.radius_A,
                group,
            )
            for micrograph in part.micrographs
        ]

    def count(self, part: _Part) -> tuple[Patterns, float]:
        """Return the agreement patterns of a partition, with equal weights, and its area in A^2.

        Only micrographs that all pickers have seen count: elsewhere no place does not mean no particle.
        """
        complete = [
            joint for joint in self.join(part, dict.fromkeys(self.names, 1.0)) if joint.has_seen.all()
        ]
        nothing = patterns(self.names, np.empty((0, len(self.names)), np.uint8))
        found = [patterns(self.names, levels(joint.groups, joint.lists, self.cuts)) for joint in complete]
        return total([nothing, *found]), sum(_area_A2(joint.micrograph) for joint in complete)

    def write(self, part: _Part, reliability: AgreedReliability, table: Path) -> "_Written":
        """Write the consensus of a partition."""
        joints = self.join(part, reliability.weights)
        consensus = [
            voted(
                joint,
                reliability,
                levels(joint.groups, joint.lists, self.cuts),
                self.diameter_A,
                self.how.votes,
            )
            for joint in joints
        ]
        write_part(consensus, table, part.number)
        return _Written(
            [
                replace(picks.micrograph, candidates=len(picks), picks=int(picks.picked.sum()))
                for picks in consensus
            ],
            sum(joint.groups.greedily for joint in joints),
        )


@dataclass(frozen=True)
class _Written:
    micrographs: list[PickedMicrograph]
    greedily: int


def vote(
    sources: Mapping[str, VoteSource],
    micrographs: Sequence[PickedMicrograph],
    sizes: Mapping[str, int],
    diameter_A: float,
    out: Path,
    how: VoteSettings,
    of: Sequence[str] = (),
) -> VoteResult:
    """Write the table of what several pickers agree on; groups with too few votes are kept, unpicked.

    Parameters
    ----------
    sources
        Each picker's picks by its name.
    micrographs
        All that any of them has, each once, sorted by data set and id; shapes and pixel sizes are known.
    sizes
        Picks of all pickers in each, by id: what partitions are cut by.
    diameter_A
        Of the particle.
    out
        Folder of the table; replaced if it is one.
    of
        What the table is said to be made of.

    Raises
    ------
    UsageError
        If more votes are asked for than there are pickers, or ``out`` is something else.
    """
    names = tuple(sorted(sources))
    if how.votes != "weighted" and not 1 <= how.votes <= len(names):
        problem = f"{how.votes} votes are asked for of {len(names)} pickers"
        raise UsageError(f"{problem}; give `votes` from 1 to {len(names)}, or weighted")
    check_replaceable(out)
    parts = _parts(micrographs, sizes)
    if not parts:
        raise UsageError("no picker has found anything; give other `inputs`")
    task = _VoteTask(sources, names, _score_cuts(sources, parts, sum(sizes.values())), diameter_A, how)
    counted = map_partitions(task.count, parts)
    agreed = total(pattern for pattern, _ in counted)
    sites = sum(area_A2 for _, area_A2 in counted) / (math.pi * task.radius_A**2)
    judged = reliability(agreed, max(sites, 1.0))
    with whole_folder(out) as aside:
        written = map_partitions(lambda part: task.write(part, judged, aside), parts)
        done = {micrograph.micrograph_id: micrograph for part in written for micrograph in part.micrographs}
        index = [
            done.get(micrograph.micrograph_id, replace(micrograph, candidates=0, picks=0))
            for micrograph in micrographs
        ]
        passes = ({"consensus": {**asdict(how), "pickers": list(names)}},)
        write_index(aside, index, diameter_A, TableHistory(__version__, tuple(of) or names, passes))
    return VoteResult(
        agreed,
        judged,
        len(index),
        sum(micrograph.candidates or 0 for micrograph in index),
        sum(micrograph.picks or 0 for micrograph in index),
        sum(part.greedily for part in written),
    )


def _parts(micrographs: Sequence[PickedMicrograph], sizes: Mapping[str, int]) -> list[_Part]:
    """Cut the micrographs with picks into runs of about ``PARTITION_PICKS``."""
    parts: list[_Part] = []
    wanted = [micrograph for micrograph in micrographs if sizes.get(micrograph.micrograph_id)]
    for dataset, group in groupby(wanted, lambda micrograph: micrograph.dataset):
        members: list[PickedMicrograph] = []
        rows = number = 0
        for micrograph in group:
            if members and rows + sizes[micrograph.micrograph_id] > PARTITION_PICKS:
                parts.append(_Part(dataset, number, tuple(members)))
                members, rows, number = [], 0, number + 1
            members.append(micrograph)
            rows += sizes[micrograph.micrograph_id]
        parts.append(_Part(dataset, number, tuple(members)))
    return parts


def _score_cuts(
    sources: Mapping[str, VoteSource], parts: Sequence[_Part], picks: int
) -> dict[str, NDArray[np.float64]]:
    """Return the scores that separate each picker's levels; of many picks every n-th is used."""
    step = max(1, picks // LEVEL_SCORES)

    def scores(part: _Part) -> dict[str, NDArray[np.float32]]:
        ids = [micrograph.micrograph_id for micrograph in part.micrographs]
        sampled = {}
        for name, source in sources.items():
            picked = [picks.score[picks.picked] for picks in source.of(ids).values()]
            ascending = np.sort(np.concatenate([np.empty(0, np.float32), *picked]))
            sampled[name] = ascending[step // 2 :: step].copy()
        return sampled

    sampled = map_partitions(scores, parts)
    return {name: score_cuts(np.concatenate([scores[name] for scores in sampled])) for name in sources}


def _area_A2(micrograph: PickedMicrograph) -> float:
    assert micrograph.shape is not None
    assert micrograph.pixel_size_A is not None
    return micrograph.shape[0] * micrograph.shape[1] * micrograph.pixel_size_A**2
