"""Estimation of a particle's diameter from a heat-map network's candidates at several scales."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

SMALLEST_A, LARGEST_A, STEP = 50.0, 900.0, 1.2
"""Diameters tried, each so many times the one before, until the largest is passed: close enough to
interpolate linearly between them."""
POWER = 6
"""Exponent of scores in the weight of picks: thousands of doubtful ones count less than nine sure ones."""
NEARNESS = 0.13
"""Width, in the logarithm of the size, of a pick's weight for the diameter tried. Junk has the size 0.75 at
any diameter: the least that the network predicts."""
FEWEST, CONTRAST = 10, 10.0
"""Picks, and ratio of the diameter's evidence to the median evidence, below which it is a guess."""
MANY, CLEAR = 50, 20.0
"""Likewise, from which a quick search is enough: all real and simulated sets of particles had at least 29
times the median evidence, and contamination alone, in small parts, 13."""
STEADY = 0.015
"""Standard error of the diameter's logarithm, over micrographs, below which more would hardly change it."""
ROUNDING = 1e-9
ALTERNATIVES, APART = 3, 1.3
"""Number of alternative diameters, and the least ratio between any two."""


@dataclass(frozen=True)
class DiameterEstimate:
    """An estimate of a particle's longest dimension, and the evidence for it.

    Attributes
    ----------
    diameter_A
        Longest dimension in angstroms.
    alternatives_A
        The next best ones, best first.
    tried_A, evidence
        ``(n,)`` diameters tried, and the evidence for each: the share of the micrographs' area that picks of
        that size cover, weighted by their scores.
    particles
        Picks that the estimate rests on.
    contrast
        Ratio of its evidence to the median evidence.
    is_sure
        Whether predicted sizes cross 1 there, for enough picks, and its evidence stands out.
    """

    diameter_A: float
    alternatives_A: tuple[float, ...]
    tried_A: tuple[float, ...]
    evidence: tuple[float, ...]
    particles: int
    contrast: float
    is_sure: bool


@dataclass(frozen=True, eq=False)
class DiameterTrial:
    """Candidates of a micrograph scaled for a tried diameter.

    Attributes
    ----------
    diameter_A
        The diameter.
    score, size
        ``(n,)`` scores of the candidates, and their predicted sizes relative to the diameter.
    area_A2
        Searched area.
    """

    diameter_A: float
    score: NDArray[np.float32]
    size: NDArray[np.float32]
    area_A2: float


@dataclass(frozen=True)
class _Tried:
    """A tried diameter over all micrographs: median log size of picks, evidence, and number of picks."""

    diameter_A: float
    log_size: float
    evidence: float
    particles: float


def ladder() -> list[float]:
    """Return the geometric ladder of diameters to try, in angstroms."""
    steps = int(np.ceil(np.log(LARGEST_A / SMALLEST_A) / np.log(STEP)))
    return [SMALLEST_A * STEP**step for step in range(steps + 1)]


def beside(diameter_A: float) -> list[float]:
    """Return the diameters of the ladder that are at most a step away from a diameter."""
    step = np.log(STEP) * (1 + ROUNDING)
    return [tried_A for tried_A in ladder() if abs(np.log(tried_A / diameter_A)) <= step]


def weigh(micrographs: Sequence[Sequence[DiameterTrial]]) -> DiameterEstimate | None:
    """Return the diameter at which the predicted size of particles is 1; ``None`` without candidates.

    The network predicts the size of each particle relative to the diameter that the micrograph was scaled
    for: above 1 if the tried diameter is too small, below 1 if it is too large. The estimate lies where
    sizes cross 1. Of several crossings the one with most evidence counts; without any, the diameter with
    most evidence is a guess.

    Parameters
    ----------
    micrographs
        Candidates of each at every diameter tried.
    """
    by_diameter: dict[float, list[DiameterTrial]] = {}
    for answers in micrographs:
        for answer in answers:
            if len(answer.score):
                by_diameter.setdefault(answer.diameter_A, []).append(answer)
    tried = [_tried(by_diameter[diameter_A]) for diameter_A in sorted(by_diameter)]
    if not tried:
        return None
    crossings = list(_crossings(tried))
    likeliest = max(crossings or tried, key=_evidence)
    best, *others = _apart([likeliest, *sorted([*crossings, *tried], key=_evidence, reverse=True)])
    middling = float(np.median([rung.evidence for rung in tried]))
    contrast = best.evidence / middling if middling > 0 else np.inf
    return DiameterEstimate(
        best.diameter_A,
        tuple(rung.diameter_A for rung in others),
        tuple(rung.diameter_A for rung in tried),
        tuple(rung.evidence for rung in tried),
        round(best.particles),
        contrast,
        bool(crossings) and contrast >= CONTRAST and best.particles >= FEWEST,
    )


def is_clear(estimate: DiameterEstimate | None) -> bool:
    """Tell whether an estimate from a quick search is sure enough without a thorough one."""
    return (
        estimate is not None
        and estimate.particles >= MANY
        and estimate.is_sure
        and estimate.contrast >= CLEAR
    )


def is_steady(micrographs: Sequence[Sequence[DiameterTrial]]) -> bool:
    """Tell whether estimates of single micrographs agree so well that more would not change the diameter."""
    diameters_A = [
        estimate.diameter_A for answers in micrographs if (estimate := weigh([answers])) is not None
    ]
    return (
        len(diameters_A) > 1
        and float(np.std(np.log(diameters_A), ddof=1)) <= STEADY * len(diameters_A) ** 0.5
    )


def _evidence(tried: _Tried) -> float:
    return tried.evidence


def _tried(answers: Sequence[DiameterTrial]) -> _Tried:
    """Combine the candidates of all micrographs at one diameter."""
    diameter_A, area_A2 = answers[0].diameter_A, sum(answer.area_A2 for answer in answers)
    weights = np.concatenate([answer.score for answer in answers]).astype(np.float64) ** POWER
    log_size = np.log(np.concatenate([answer.size for answer in answers]).astype(np.float64))
    order = np.argsort(log_size, kind="stable")
    summed = np.cumsum(weights[order])
    median = float(log_size[order][np.searchsorted(summed, summed[-1] / 2)])
    fitting = weights * np.exp(-((log_size / NEARNESS) ** 2))
    total = float(fitting.sum())
    particles = total**2 / float((fitting**2).sum()) if total > 0 else 0.0  # equal weights: just their number
    return _Tried(diameter_A, median, total * diameter_A**2 / area_A2, particles)


def _crossings(tried: Sequence[_Tried]) -> Iterator[_Tried]:
    """Yield the diameters at which log sizes cross 0, interpolated between neighbouring diameters."""
    for small, large in pairwise(tried):
        if small.log_size >= 0 > large.log_size:
            part = small.log_size / (small.log_size - large.log_size)
            diameter_A = small.diameter_A * (large.diameter_A / small.diameter_A) ** part
            nearest = max(small, large, key=_evidence)
            yield _Tried(diameter_A, 0.0, nearest.evidence, nearest.particles)


def _apart(ranked: Sequence[_Tried]) -> list[_Tried]:
    """Return the best, and the next ones whose diameters differ enough."""
    kept: list[_Tried] = []
    for candidate in ranked:
        if all(abs(np.log(candidate.diameter_A / better.diameter_A)) >= np.log(APART) for better in kept):
            kept.append(candidate)
    return kept[: 1 + ALTERNATIVES]
