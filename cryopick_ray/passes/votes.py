"""Tables of several pickers -> the table of what they agree on, with Dask: a task a partition, no shuffle."""

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
from cryopick_ray.passes.cliques import programme
from cryopick_ray.passes.clusters import greedy
from cryopick_ray.passes.consensus import Votes
from cryopick_ray.passes.joint import Joint, join, voted
from cryopick_ray.passes.patterns import Patterns, levels, patterns, score_cuts, total
from cryopick_ray.passes.tasks import each
from cryopick_ray.picks.index import Made, write_index
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.write_table import check_replaceable, write_part
from cryopick_ray.store.publish import whole_folder

PARTITION_PICKS = 100_000
"""Picks of all pickers together in a partition, about."""
LEVEL_SCORES = 1_000_000
"""Scores of a picker that its levels are found on, about at most."""


class VoteSource(Protocol):
    """What one picker found; a :class:`~cryopick_ray.picks.table.PickTable` is one."""

    def of(self, micrograph_ids: Sequence[str]) -> dict[str, MicrographPicks]:
        """Return some of its micrographs, by id; those that it does not have are left out."""
        ...


@dataclass(frozen=True)
class Vote:
    """How pickers vote.

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
class Voted:
    """What a vote came to.

    Attributes
    ----------
    patterns
        How often which pickers agree.
    reliability
        What that tells of each.
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
    """Consecutive micrographs of one data set that somebody picked something in."""

    dataset: str
    number: int
    micrographs: tuple[PickedMicrograph, ...]


@dataclass(frozen=True)
class _Vote:
    """A vote that goes on: everything that a partition's task needs."""

    sources: Mapping[str, VoteSource]
    names: tuple[str, ...]
    cuts: Mapping[str, NDArray[np.float64]]
    diameter_A: float
    how: Vote

    @property
    def radius_A(self) -> float:
        return self.how.radius_diameters * self.diameter_A

    def joint(self, part: _Part, weights: Mapping[str, float]) -> list[Joint]:
        """Return what all pickers found in a partition, grouped."""
        ids = [micrograph.micrograph_id for micrograph in part.micrographs]
        found = {name: source.of(ids) for name, source in self.sources.items()}
        way = partial(programme, weights=weights) if self.how.crowded else greedy
        return [
            join(
                micrograph,
                {name: own.get(micrograph.micrograph_id) for name, own in found.items()},
                self.radius_A,
                way,
            )
            for micrograph in part.micrographs
        ]

    def counted(self, part: _Part) -> tuple[Patterns, float]:
        """Return how often which pickers agree in a partition, each counting alike, and in what area in A^2.

        That is in the micrographs that all have seen: elsewhere to have nothing does not mean that nothing is
        there.
        """
        some = [one for one in self.joint(part, dict.fromkeys(self.names, 1.0)) if one.looked.all()]
        nothing = patterns(self.names, np.empty((0, len(self.names)), np.uint8))
        found = [patterns(self.names, levels(one.groups, one.lists, self.cuts)) for one in some]
        return total([nothing, *found]), sum(_area_A2(one.micrograph) for one in some)

    def written(self, part: _Part, told: AgreedReliability, table: Path) -> "_Written":
        """Write what they agree on in a partition."""
        some = self.joint(part, told.weights)
        made = [
            voted(one, told, levels(one.groups, one.lists, self.cuts), self.diameter_A, self.how.votes)
            for one in some
        ]
        write_part(made, table, part.number)
        return _Written(
            [replace(one.micrograph, candidates=len(one), picks=int(one.picked.sum())) for one in made],
            sum(one.groups.greedily for one in some),
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
    how: Vote,
    of: Sequence[str] = (),
) -> Voted:
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
        said = f"{how.votes} votes are asked for of {len(names)} pickers"
        raise UsageError(f"{said}; give `votes` from 1 to {len(names)}, or weighted")
    check_replaceable(out)
    parts = _parts(micrographs, sizes)
    if not parts:
        raise UsageError("no picker has found anything; give other `inputs`")
    ours = _Vote(sources, names, _score_cuts(sources, parts, sum(sizes.values())), diameter_A, how)
    counted = each(ours.counted, parts)
    agreed = total(one for one, _ in counted)
    sites = sum(area_A2 for _, area_A2 in counted) / (math.pi * ours.radius_A**2)
    told = reliability(agreed, max(sites, 1.0))
    with whole_folder(out) as aside:
        written = each(lambda part: ours.written(part, told, aside), parts)
        done = {micrograph.micrograph_id: micrograph for part in written for micrograph in part.micrographs}
        index = [
            done.get(micrograph.micrograph_id, replace(micrograph, candidates=0, picks=0))
            for micrograph in micrographs
        ]
        passes = ({"consensus": {**asdict(how), "pickers": list(names)}},)
        write_index(aside, index, diameter_A, Made(__version__, tuple(of) or names, passes))
    return Voted(
        agreed,
        told,
        len(index),
        sum(one.candidates or 0 for one in index),
        sum(one.picks or 0 for one in index),
        sum(part.greedily for part in written),
    )


def _parts(micrographs: Sequence[PickedMicrograph], sizes: Mapping[str, int]) -> list[_Part]:
    """Cut the micrographs with picks into runs of about ``PARTITION_PICKS``."""
    parts: list[_Part] = []
    wanted = [micrograph for micrograph in micrographs if sizes.get(micrograph.micrograph_id)]
    for dataset, some in groupby(wanted, lambda one: one.dataset):
        own: list[PickedMicrograph] = []
        rows = number = 0
        for one in some:
            if own and rows + sizes[one.micrograph_id] > PARTITION_PICKS:
                parts.append(_Part(dataset, number, tuple(own)))
                own, rows, number = [], 0, number + 1
            own.append(one)
            rows += sizes[one.micrograph_id]
        parts.append(_Part(dataset, number, tuple(own)))
    return parts


def _score_cuts(
    sources: Mapping[str, VoteSource], parts: Sequence[_Part], picks: int
) -> dict[str, NDArray[np.float64]]:
    """Return the scores that part each picker's picks in levels; of many picks, every n-th is looked at."""
    step = max(1, picks // LEVEL_SCORES)

    def scores(part: _Part) -> dict[str, NDArray[np.float32]]:
        ids = [micrograph.micrograph_id for micrograph in part.micrographs]
        found = {}
        for name, source in sources.items():
            own = [one.score[one.picked] for one in source.of(ids).values()]
            found[name] = np.sort(np.concatenate([np.empty(0, np.float32), *own]))[step // 2 :: step].copy()
        return found

    found = each(scores, parts)
    return {name: score_cuts(np.concatenate([one[name] for one in found])) for name in sources}


def _area_A2(micrograph: PickedMicrograph) -> float:
    assert micrograph.shape is not None
    assert micrograph.pixel_size_A is not None
    return micrograph.shape[0] * micrograph.shape[1] * micrograph.pixel_size_A**2
