"""What was found when runs were compared: plain numbers, for a page, a terminal and programs alike."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Two = tuple[int, int]
"""Of a first and of a second run."""


@dataclass(frozen=True)
class Hits:
    """A run's picks against truth, in micrographs that all runs have.

    Attributes
    ----------
    picks, true, particles
        Picks, those of them that find a particle, and particles.
    """

    picks: int
    true: int
    particles: int

    @property
    def precision(self) -> float | None:
        """Part of the picks that is true."""
        return _part(self.true, self.picks)

    @property
    def recall(self) -> float | None:
        """Part of the particles that is found."""
        return _part(self.true, self.particles)

    @property
    def f1(self) -> float | None:
        """Their harmonic mean."""
        return _part(2 * self.true, self.picks + self.particles)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {**asdict(self), **{name: getattr(self, name) for name in ("precision", "recall", "f1")}}


@dataclass(frozen=True)
class Run:
    """One of the runs that are compared.

    Attributes
    ----------
    name
        As a person gave it.
    micrographs, failed
        Those that were picked, and those that could not be.
    candidates, picks
        In all its micrographs.
    models
        What picked.
    diameter_A
        Of a particle, as the run has it; ``None`` where nothing was picked.
    alone
        Micrographs that no other run has.
    shared_by
        Picks by how many others share them, from none on, in micrographs that all runs have picked.
    hits
        Against truth; ``None`` without.
    """

    name: str
    micrographs: int
    failed: tuple[str, ...]
    candidates: int
    picks: int
    models: tuple[str, ...]
    diameter_A: float | None
    alone: tuple[str, ...]
    shared_by: tuple[int, ...]
    hits: Hits | None = None


@dataclass(frozen=True)
class TruthOfTwo:
    """What is true of what two runs share, and of what only one has, in micrographs that all runs have.

    Attributes
    ----------
    shared, only
        Picks that are true, and all of them: shared ones, of which either run's finds a particle, and those
        of either alone.
    both, either, neither
        Particles that both find, that only the first and only the second finds, and that none does.
    """

    shared: Two
    only: tuple[Two, Two]
    both: int
    either: Two
    neither: int


@dataclass(frozen=True)
class TwoRuns:
    """Two runs, in micrographs that both have picked.

    Attributes
    ----------
    first, second
        Which runs.
    micrographs
        That both have picked.
    shared, only
        Picks of both, and of either alone.
    elsewhere
        Picks of either where the other has no micrograph, or failed.
    median_apart_A
        Of what they share; ``None`` of nothing, as below.
    median_score_shared, median_score_only
        Of either, what both and what it alone has.
    why
        Picks that only the first has, those elsewhere included, by why the second has them not, most first;
        and the other way round.
    truth
        ``None`` without.
    """

    first: int
    second: int
    micrographs: int
    shared: int
    only: Two
    elsewhere: Two
    median_apart_A: float | None
    median_score_shared: tuple[float | None, float | None]
    median_score_only: tuple[float | None, float | None]
    why: tuple[Mapping[str, int], Mapping[str, int]]
    truth: TruthOfTwo | None = None

    @property
    def jaccard(self) -> float | None:
        """What both have, as part of what any has."""
        return _part(self.shared, self.shared + sum(self.only))

    @property
    def share(self) -> tuple[float | None, float | None]:
        """Part of the first's picks that the second has, and of the second's that the first has."""
        first, second = (_part(self.shared, self.shared + only) for only in self.only)
        return first, second

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {**asdict(self), "jaccard": self.jaccard, "share": self.share}


@dataclass(frozen=True)
class OneMicrograph:
    """A micrograph in all runs.

    Attributes
    ----------
    micrograph_id
        As the first run that has it calls it.
    picks
        Of each run; ``None`` where it failed or is missing.
    shared, only
        By pair of runs as in the whole; ``None`` where not both have picked it.
    """

    micrograph_id: str
    picks: tuple[int | None, ...]
    shared: tuple[int | None, ...]
    only: tuple[Two | None, ...]

    def differing(self, pair: int | None = None) -> int:
        """Return picks that one of two runs lacks: 1 - Jaccard, times what any has; of all pairs or one."""
        return sum(sum(two) for two in (self.only if pair is None else [self.only[pair]]) if two)


@dataclass(frozen=True)
class Comparison:
    """What runs share, and where they differ.

    Attributes
    ----------
    radius_A
        Largest distance at which two picks are one.
    runs
        As they were given.
    pairs
        Every two runs.
    micrographs
        The most different first.
    settings
        Those that differ, each by run; ``-`` where a run does not say.
    notes
        What a person should know.
    """

    radius_A: float
    runs: tuple[Run, ...]
    pairs: tuple[TwoRuns, ...]
    micrographs: tuple[OneMicrograph, ...]
    settings: Mapping[str, Sequence[str]]
    notes: tuple[str, ...] = ()

    @property
    def widest(self) -> int:
        """Which pair differs most, by its Jaccard index: the first of equal ones."""
        apart = [1.0 if pair.jaccard is None else pair.jaccard for pair in self.pairs]
        return apart.index(min(apart))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "radius_A": self.radius_A,
            "runs": [{**asdict(run), "hits": run.hits and run.hits.to_dict()} for run in self.runs],
            "pairs": [pair.to_dict() for pair in self.pairs],
            "settings": {name: list(values) for name, values in self.settings.items()},
            "micrographs": [
                {**asdict(micrograph), "differing": micrograph.differing()} for micrograph in self.micrographs
            ],
            "notes": list(self.notes),
        }


def letter(number: int) -> str:
    """Return what a run is called for short."""
    return chr(ord("A") + number)


def _part(some: int, whole: int) -> float | None:
    return some / whole if whole else None
