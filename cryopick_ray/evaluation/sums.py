"""Sums over micrographs that several runs have: of each run, and of every two."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.evaluation.comparison import Hits, Run, TruthOfTwo, Two, TwoRuns
from cryopick_ray.evaluation.median import Median
from cryopick_ray.evaluation.nearest import Indices
from cryopick_ray.evaluation.paired import Paired, pair_picks, why_not
from cryopick_ray.evaluation.truth import Centres
from cryopick_ray.picks.matching import match
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.units import Shape


@dataclass(frozen=True)
class Beside:
    """A micrograph in all runs.

    Attributes
    ----------
    name
        Common to them.
    entries, ready
        Its picks by run; ``None`` where a run does not have it, and of those ready, where it failed.
    pixel_size_A, radius_px
        Of the micrograph, and within which two picks are one.
    """

    name: str
    entries: tuple[MicrographPicks | None, ...]
    ready: tuple[MicrographPicks | None, ...]
    pixel_size_A: float
    radius_px: float

    @property
    def shape(self) -> Shape | None:
        """Of the micrograph, as the first run says that knows it."""
        shapes = (one.micrograph.shape for one in self.ready if one is not None)
        return next(filter(None, shapes), None)


@dataclass(frozen=True)
class Finds:
    """What the runs find of a micrograph's particles.

    Attributes
    ----------
    hits
        By run, ``(n,)`` bool: which candidates are picks that find one.
    found
        By run, ``(m,)`` bool: which particles are found.
    """

    hits: tuple[NDArray[np.bool_], ...]
    found: tuple[NDArray[np.bool_], ...]


def find(beside: Beside, centres: Centres) -> Finds:
    """Match every run's picks with true particles, greedy by score."""
    hits, found = [], []
    for one in beside.ready:
        hit, seen = np.zeros(0 if one is None else len(one), bool), np.zeros(len(centres), bool)
        if one is not None:
            own = np.flatnonzero(one.picked)
            score = np.nan_to_num(one.score[own], nan=float(np.finfo(np.float32).min))
            true_x, true_y = centres.T
            finds = match(one.x_px[own], one.y_px[own], score, true_x, true_y, beside.radius_px)
            hit[own[finds >= 0]] = True
            seen[finds[finds >= 0]] = True
        hits.append(hit)
        found.append(seen)
    return Finds(tuple(hits), tuple(found))


@dataclass
class PairSum:
    """Two runs, summed over micrographs."""

    first: int
    second: int
    micrographs: int = 0
    shared: int = 0
    only: list[int] = field(default_factory=lambda: [0, 0])
    elsewhere: list[int] = field(default_factory=lambda: [0, 0])
    apart_A: Median = field(default_factory=Median)
    scores_shared: tuple[Median, Median] = field(default_factory=lambda: (Median(), Median()))
    scores_only: tuple[Median, Median] = field(default_factory=lambda: (Median(), Median()))
    why: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    true: NDArray[np.int64] = field(default_factory=lambda: np.zeros((3, 2), np.int64))
    particles: NDArray[np.int64] = field(default_factory=lambda: np.zeros(4, np.int64))

    def add(self, beside: Beside) -> Paired | None:
        """Take a micrograph in; return who is whom, ``None`` where not both picked it."""
        one, other = beside.ready[self.first], beside.ready[self.second]
        entries = beside.entries[self.first], beside.entries[self.second]
        if one is None or other is None:
            for side, (own, theirs) in enumerate(((one, entries[1]), (other, entries[0]))):
                if own is not None:
                    picks = np.flatnonzero(own.picked)
                    self.elsewhere[side] += len(picks)
                    self.why[side].update(why_not(own, picks, theirs, beside.radius_px))
            return None
        paired = pair_picks(one, other, beside.radius_px)
        self.micrographs += 1
        self.shared += len(paired.apart_px)
        self.apart_A.add(paired.apart_px * beside.pixel_size_A)
        for side, (own, theirs) in enumerate(((one, other), (other, one))):
            self.only[side] += len(paired.only[side])
            self.scores_shared[side].add(own.score[paired.shared[side]])
            self.scores_only[side].add(own.score[paired.only[side]])
            self.why[side].update(why_not(own, paired.only[side], theirs, beside.radius_px))
        return paired

    def judge(self, paired: Paired | None, finds: Finds) -> None:
        """Take in what of a micrograph is true."""
        found, other = finds.found[self.first], finds.found[self.second]
        self.particles += [
            (found & other).sum(),
            (found & ~other).sum(),
            (other & ~found).sum(),
            (~found & ~other).sum(),
        ]
        if paired is not None:
            own, theirs = finds.hits[self.first], finds.hits[self.second]
            true = (
                own[paired.shared[0]] | theirs[paired.shared[1]],
                own[paired.only[0]],
                theirs[paired.only[1]],
            )
            self.true += [[one.sum(), len(one)] for one in true]

    def total(self, *, with_truth: bool) -> TwoRuns:
        """Return the sums."""
        shared, first, second = (_two(one) for one in self.true.tolist())
        both, *either, neither = self.particles.tolist()
        return TwoRuns(
            self.first,
            self.second,
            self.micrographs,
            self.shared,
            _two(self.only),
            _two(self.elsewhere),
            self.apart_A.value,
            (self.scores_shared[0].value, self.scores_shared[1].value),
            (self.scores_only[0].value, self.scores_only[1].value),
            (_most_first(self.why[0]), _most_first(self.why[1])),
            TruthOfTwo(shared, (first, second), both, _two(either), neither) if with_truth else None,
        )


@dataclass
class RunSum:
    """One of ``runs`` runs, summed over micrographs."""

    number: int
    runs: int
    micrographs: int = 0
    failed: list[str] = field(default_factory=list)
    candidates: int = 0
    picks: int = 0
    models: set[str] = field(default_factory=set)
    diameter_A: float | None = None
    alone: list[str] = field(default_factory=list)
    shared_by: NDArray[np.int64] = field(init=False)
    hits: NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, np.int64))

    def __post_init__(self) -> None:
        self.shared_by = np.zeros(self.runs, np.int64)

    def add(self, beside: Beside, shared: list[Indices]) -> None:
        """Take a micrograph in, given what of it each other run shares."""
        entry, one = beside.entries[self.number], beside.ready[self.number]
        if entry is None:
            return
        if sum(other is not None for other in beside.entries) == 1:
            self.alone.append(beside.name)
        if one is None:
            self.failed.append(beside.name)
            return
        self.micrographs += 1
        self.candidates += len(one)
        self.picks += int(one.picked.sum())
        self.models |= {one.model} - {""}
        if self.diameter_A is None:
            self.diameter_A = one.diameter_A
        if None not in beside.ready:
            times = np.bincount(np.concatenate(shared), minlength=len(one))[one.picked]
            self.shared_by += np.bincount(times, minlength=self.runs)

    def judge(self, beside: Beside, finds: Finds) -> None:
        """Take in what of a micrograph is true."""
        one = beside.ready[self.number]
        hits, found = finds.hits[self.number], finds.found[self.number]
        self.hits += [0 if one is None else one.picked.sum(), hits.sum(), len(found)]

    def total(self, name: str, *, with_truth: bool) -> Run:
        """Return the sums."""
        return Run(
            name,
            self.micrographs,
            tuple(sorted(self.failed)),
            self.candidates,
            self.picks,
            tuple(sorted(self.models)),
            self.diameter_A,
            tuple(sorted(self.alone)),
            tuple(self.shared_by.tolist()),
            Hits(*self.hits.tolist()) if with_truth else None,
        )


def _two(values: list[int]) -> Two:
    first, second = values
    return first, second


def _most_first(why: Counter[str]) -> dict[str, int]:
    return dict(sorted(why.items(), key=lambda item: (-item[1], item[0])))
