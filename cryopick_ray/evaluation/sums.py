"""Sums of a comparison over micrographs: of each run, and of every pair of runs."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.evaluation.comparison import Hits, PairTruth, RunPair, RunSummary, Two
from cryopick_ray.evaluation.median import Median
from cryopick_ray.evaluation.nearest import Indices
from cryopick_ray.evaluation.paired import PairedPicks, pair_picks, why_not
from cryopick_ray.evaluation.truth import Centres
from cryopick_ray.picks.matching import match
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.units import Shape


@dataclass(frozen=True)
class MicrographInRuns:
    """A micrograph in all runs.

    Attributes
    ----------
    name
        Its common name.
    entries, ready
        Its picks by run: ``None`` in both where a run does not have it, and in ``ready`` where it failed.
    pixel_size_A, radius_px
        Its pixel size, and the radius within which two picks are one.
    """

    name: str
    entries: tuple[MicrographPicks | None, ...]
    ready: tuple[MicrographPicks | None, ...]
    pixel_size_A: float
    radius_px: float

    @property
    def shape(self) -> Shape | None:
        """Shape of the micrograph, from the first run that has it."""
        shapes = (picks.micrograph.shape for picks in self.ready if picks is not None)
        return next(filter(None, shapes), None)


@dataclass(frozen=True)
class TruthMatches:
    """Matches of the runs' picks with a micrograph's particles.

    Attributes
    ----------
    hits
        By run, ``(n,)`` bool: whether a candidate is a pick that finds a particle.
    found
        By run, ``(m,)`` bool: whether a particle is found.
    """

    hits: tuple[NDArray[np.bool_], ...]
    found: tuple[NDArray[np.bool_], ...]


def match_truth(micrograph: MicrographInRuns, centres: Centres) -> TruthMatches:
    """Match every run's picks with true particles, greedy by score."""
    hits, found = [], []
    for picks in micrograph.ready:
        is_hit, is_found = np.zeros(0 if picks is None else len(picks), bool), np.zeros(len(centres), bool)
        if picks is not None:
            picked = np.flatnonzero(picks.picked)
            score = np.nan_to_num(picks.score[picked], nan=float(np.finfo(np.float32).min))
            true_x, true_y = centres.T
            matched = match(
                picks.x_px[picked], picks.y_px[picked], score, true_x, true_y, micrograph.radius_px
            )
            is_hit[picked[matched >= 0]] = True
            is_found[matched[matched >= 0]] = True
        hits.append(is_hit)
        found.append(is_found)
    return TruthMatches(tuple(hits), tuple(found))


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

    def add(self, micrograph: MicrographInRuns) -> PairedPicks | None:
        """Add a micrograph; return its pairs of picks, ``None`` where not both runs picked it."""
        first, second = micrograph.ready[self.first], micrograph.ready[self.second]
        entries = micrograph.entries[self.first], micrograph.entries[self.second]
        if first is None or second is None:
            for side, (picks_of_side, other_side) in enumerate(((first, entries[1]), (second, entries[0]))):
                if picks_of_side is not None:
                    picks = np.flatnonzero(picks_of_side.picked)
                    self.elsewhere[side] += len(picks)
                    self.why[side].update(why_not(picks_of_side, picks, other_side, micrograph.radius_px))
            return None
        paired = pair_picks(first, second, micrograph.radius_px)
        self.micrographs += 1
        self.shared += len(paired.apart_px)
        self.apart_A.add(paired.apart_px * micrograph.pixel_size_A)
        for side, (picks_of_side, other_side) in enumerate(((first, second), (second, first))):
            self.only[side] += len(paired.only[side])
            self.scores_shared[side].add(picks_of_side.score[paired.shared[side]])
            self.scores_only[side].add(picks_of_side.score[paired.only[side]])
            self.why[side].update(why_not(picks_of_side, paired.only[side], other_side, micrograph.radius_px))
        return paired

    def judge(self, paired: PairedPicks | None, matches: TruthMatches) -> None:
        """Add a micrograph's matches with truth."""
        first_found, second_found = matches.found[self.first], matches.found[self.second]
        self.particles += [
            (first_found & second_found).sum(),
            (first_found & ~second_found).sum(),
            (second_found & ~first_found).sum(),
            (~first_found & ~second_found).sum(),
        ]
        if paired is not None:
            first_hits, second_hits = matches.hits[self.first], matches.hits[self.second]
            true = (
                first_hits[paired.shared[0]] | second_hits[paired.shared[1]],
                first_hits[paired.only[0]],
                second_hits[paired.only[1]],
            )
            self.true += [[is_true.sum(), len(is_true)] for is_true in true]

    def total(self, *, with_truth: bool) -> RunPair:
        """Return the sums."""
        shared, first, second = map(_two, self.true.tolist())
        both, *either, neither = self.particles.tolist()
        return RunPair(
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
            PairTruth(shared, (first, second), both, _two(either), neither) if with_truth else None,
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

    def add(self, micrograph: MicrographInRuns, shared: list[Indices]) -> None:
        """Add a micrograph, with the candidates that each other run shares."""
        entry, picks = micrograph.entries[self.number], micrograph.ready[self.number]
        if entry is None:
            return
        if sum(other is not None for other in micrograph.entries) == 1:
            self.alone.append(micrograph.name)
        if picks is None:
            self.failed.append(micrograph.name)
            return
        self.micrographs += 1
        self.candidates += len(picks)
        self.picks += int(picks.picked.sum())
        self.models |= {picks.model} - {""}
        if self.diameter_A is None:
            self.diameter_A = picks.diameter_A
        if None not in micrograph.ready:
            sharers = np.bincount(np.concatenate(shared), minlength=len(picks))[picks.picked]
            self.shared_by += np.bincount(sharers, minlength=self.runs)

    def judge(self, micrograph: MicrographInRuns, matches: TruthMatches) -> None:
        """Add a micrograph's matches with truth."""
        picks = micrograph.ready[self.number]
        hits, found = matches.hits[self.number], matches.found[self.number]
        self.hits += [0 if picks is None else picks.picked.sum(), hits.sum(), len(found)]

    def total(self, name: str, *, with_truth: bool) -> RunSummary:
        """Return the sums."""
        return RunSummary(
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
