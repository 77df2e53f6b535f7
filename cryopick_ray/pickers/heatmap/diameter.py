"""How large particles are, told from what a heat-map network saw at several scales."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

SMALLEST_A, LARGEST_A, STEP = 50.0, 900.0, 1.2
"""Diameters tried, each so many times the one before, until the largest is passed: near enough to draw a line
from one to the next."""
POWER = 6
"""Of a pick's score in its weight: thousands of doubtful picks in noise count less than nine sure ones."""
NEARNESS = 0.13
"""Logarithm of the size at which a pick hardly counts for the diameter tried. Junk seems 0.75 times as large
at any diameter: the least that the network says."""
FEWEST, CONTRAST = 10, 10.0
"""Picks, and the diameter's evidence beside that of the middling one, below which it is a guess."""
MANY, CLEAR = 50, 20.0
"""Likewise, from which a quick look is enough: no real or simulated set of particles had less than 29 times
the middling evidence, and contamination alone, seen in small parts, 13."""
STEADY = 0.015
"""Standard error of the diameter's logarithm, by micrograph, from which others would hardly change it."""
ROUNDING = 1e-9
ALTERNATIVES, APART = 3, 1.3
"""Diameters named beside the best, each at least so many times another."""


@dataclass(frozen=True)
class DiameterEstimate:
    """A particle's longest dimension, and what speaks for it.

    Attributes
    ----------
    diameter_A
        Longest dimension in angstroms.
    alternatives_A
        The next best ones, best first.
    tried_A, evidence
        ``(n,)`` diameters tried, and what spoke for each: the share of the micrographs' area that picks of
        that size cover, sure picks counting most.
    particles
        Picks that it rests on.
    contrast
        How many times the middling evidence speaks for it.
    is_sure
        Whether particles stopped to seem larger there, enough of them, and it stands out of the others.
    """

    diameter_A: float
    alternatives_A: tuple[float, ...]
    tried_A: tuple[float, ...]
    evidence: tuple[float, ...]
    particles: int
    contrast: float
    is_sure: bool


@dataclass(frozen=True, eq=False)
class Answer:
    """What was found when a diameter was tried.

    Attributes
    ----------
    diameter_A
        The diameter.
    score, size
        ``(n,)`` scores of the candidates, and how many times larger than the diameter each seems to be.
    area_A2
        Of what was looked at.
    """

    diameter_A: float
    score: NDArray[np.float32]
    size: NDArray[np.float32]
    area_A2: float


@dataclass(frozen=True)
class _Rung:
    """A diameter tried: what size picks seem to have there, and how much and how many speak for it."""

    diameter_A: float
    log_size: float
    evidence: float
    particles: float


def ladder() -> list[float]:
    """Return the diameters to try, in angstroms."""
    steps = int(np.ceil(np.log(LARGEST_A / SMALLEST_A) / np.log(STEP)))
    return [SMALLEST_A * STEP**step for step in range(steps + 1)]


def beside(diameter_A: float) -> list[float]:
    """Return the diameters of the ladder that are at most a step away from a diameter."""
    step = np.log(STEP) * (1 + ROUNDING)
    return [tried_A for tried_A in ladder() if abs(np.log(tried_A / diameter_A)) <= step]


def weigh(micrographs: Sequence[Sequence[Answer]]) -> DiameterEstimate | None:
    """Return the diameter at which particles seem to have just the size tried; ``None`` if nothing was seen.

    The network says of each particle how large it is, relative to the diameter that the micrograph was
    scaled for. Tried too small, particles seem larger than that, tried too large they seem smaller: where
    the one becomes the other lies the diameter. Of several such places the one with most evidence counts;
    where there is none, the diameter with most evidence is a guess.

    Parameters
    ----------
    micrographs
        Of each, what was found at every diameter tried.
    """
    by_diameter: dict[float, list[Answer]] = {}
    for answers in micrographs:
        for answer in answers:
            if len(answer.score):
                by_diameter.setdefault(answer.diameter_A, []).append(answer)
    rungs = [_rung(by_diameter[diameter_A]) for diameter_A in sorted(by_diameter)]
    if not rungs:
        return None
    turns = list(_turns(rungs))
    likeliest = max(turns or rungs, key=_evidence)
    best, *others = _apart([likeliest, *sorted([*turns, *rungs], key=_evidence, reverse=True)])
    middling = float(np.median([rung.evidence for rung in rungs]))
    contrast = best.evidence / middling if middling > 0 else np.inf
    return DiameterEstimate(
        best.diameter_A,
        tuple(rung.diameter_A for rung in others),
        tuple(rung.diameter_A for rung in rungs),
        tuple(rung.evidence for rung in rungs),
        round(best.particles),
        contrast,
        bool(turns) and contrast >= CONTRAST and best.particles >= FEWEST,
    )


def is_clear(found: DiameterEstimate | None) -> bool:
    """Tell whether an estimate from a quick look is so sure that none need be thorough."""
    return found is not None and found.particles >= MANY and found.is_sure and found.contrast >= CLEAR


def is_steady(micrographs: Sequence[Sequence[Answer]]) -> bool:
    """Tell whether micrographs, each by itself, agree on the diameter so well that others would, too."""
    found = [one.diameter_A for answers in micrographs if (one := weigh([answers])) is not None]
    return len(found) > 1 and float(np.std(np.log(found), ddof=1)) <= STEADY * len(found) ** 0.5


def _evidence(rung: _Rung) -> float:
    return rung.evidence


def _rung(answers: Sequence[Answer]) -> _Rung:
    """Take together what all micrographs showed at one diameter."""
    diameter_A, area_A2 = answers[0].diameter_A, sum(answer.area_A2 for answer in answers)
    weight = np.concatenate([answer.score for answer in answers]).astype(np.float64) ** POWER
    log_size = np.log(np.concatenate([answer.size for answer in answers]).astype(np.float64))
    order = np.argsort(log_size, kind="stable")
    summed = np.cumsum(weight[order])
    median = float(log_size[order][np.searchsorted(summed, summed[-1] / 2)])
    speaks = weight * np.exp(-((log_size / NEARNESS) ** 2))
    total = float(speaks.sum())
    many = total**2 / float((speaks**2).sum()) if total > 0 else 0.0  # equal weights: just their number
    return _Rung(diameter_A, median, total * diameter_A**2 / area_A2, many)


def _turns(rungs: Sequence[_Rung]) -> Iterator[_Rung]:
    """Yield where particles stop to seem larger, on a line from the diameter before to the one after."""
    for small, large in pairwise(rungs):
        if small.log_size >= 0 > large.log_size:
            part = small.log_size / (small.log_size - large.log_size)
            diameter_A = small.diameter_A * (large.diameter_A / small.diameter_A) ** part
            nearest = max(small, large, key=_evidence)
            yield _Rung(diameter_A, 0.0, nearest.evidence, nearest.particles)


def _apart(ranked: Sequence[_Rung]) -> list[_Rung]:
    """Return the best and the next ones that are really others."""
    kept: list[_Rung] = []
    for rung in ranked:
        if all(abs(np.log(rung.diameter_A / one.diameter_A)) >= np.log(APART) for one in kept):
            kept.append(rung)
    return kept[: 1 + ALTERNATIVES]
