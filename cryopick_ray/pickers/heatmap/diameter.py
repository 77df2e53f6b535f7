"""How large particles are, as a heat-map network sees them: it is asked at several scales."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.resample import fourier_resize
from cryopick_ray.pickers.heatmap.picker import HeatmapPicker
from cryopick_ray.pickers.heatmap.polarity import are_bright, evidence
from cryopick_ray.units import resampled_shape, working_pixel_size_A

SMALLEST_A, LARGEST_A, STEP = 50.0, 900.0, 1.2
"""Diameters tried, each so many times the one before, until the largest is passed: near enough to draw a line
from one to the next."""
ACROSS = 5
"""Diameters that must fit across a micrograph."""
MOST_ACROSS = 40
"""Diameters across what is looked at, the middle of a larger micrograph: enough to tell, in seconds."""
LARGEST_ENLARGEMENT = 2.0
"""Beyond which a micrograph's pixels are too coarse for so small a particle."""
POWER = 6
"""Of a pick's score in its weight: thousands of doubtful picks in noise count less than nine sure ones."""
NEARNESS = 0.13
"""Logarithm of the size at which a pick hardly counts for the diameter tried. Junk seems 0.75 times as large
at any diameter: the least that the network says."""
FEWEST, CONTRAST = 10, 10.0
"""Picks, and the diameter's evidence beside that of the middling one, below which it is a guess."""
SURELY_DARK = 0.02
"""Evidence for dark particles at one of the diameters from which the negative is not looked at: at one or
another, gaps between bright particles look more like particles than at the right one."""
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
    is_sure
        Whether particles stopped to seem larger there, enough of them, and it stands out of the others.
    """

    diameter_A: float
    alternatives_A: tuple[float, ...]
    tried_A: tuple[float, ...]
    evidence: tuple[float, ...]
    particles: int
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


def ask(
    image: NDArray[np.float32], pixel_size_A: float, picker: HeatmapPicker, tried_A: Sequence[float]
) -> tuple[Answer, ...]:
    """Pick one micrograph at each of the diameters that it is large and fine enough for.

    Parameters
    ----------
    image
        ``(h, w)`` float32, particles dark.
    """
    answers = []
    for diameter_A in tried_A:
        target_A = working_pixel_size_A(diameter_A, picker.particle_px)
        part = _middle(image, int(MOST_ACROSS * diameter_A / pixel_size_A))
        too_large = diameter_A * ACROSS > min(part.shape) * pixel_size_A
        if too_large or pixel_size_A > LARGEST_ENLARGEMENT * target_A:
            continue
        shape = resampled_shape((part.shape[0], part.shape[1]), pixel_size_A, target_A)
        resized = torch.from_numpy(fourier_resize(part, shape))[None].to(picker.device)
        try:
            with torch.inference_mode():
                (found,) = picker.pick_sized(resized)
        except MicrographError:  # nothing but one grey value is left at this scale
            continue
        area_A2 = part.size * pixel_size_A**2
        answers.append(Answer(diameter_A, found.peak, found.size, area_A2))
    return tuple(answers)


def ask_settled(
    image: NDArray[np.float32], pixel_size_A: float, picker: HeatmapPicker, tried_A: Sequence[float]
) -> tuple[tuple[Answer, ...], bool]:
    """Return what :func:`ask` does, or of the negative where particles are bright, and whether they are."""
    dark = ask(image, pixel_size_A, picker, tried_A)
    if (seen := _clearest(dark)) >= SURELY_DARK:
        return dark, False
    bright = ask(-image, pixel_size_A, picker, tried_A)
    return (bright, True) if are_bright(seen, _clearest(bright)) else (dark, False)


def _clearest(answers: Sequence[Answer]) -> float:
    """Return the most evidence for particles of one polarity that there is at any diameter."""
    return max((evidence(one.score, one.area_A2 / one.diameter_A**2) for one in answers), default=0.0)


def weigh(micrographs: Sequence[Sequence[Answer]]) -> DiameterEstimate | None:
    """Return the diameter at which particles seem to have just the size tried; ``None`` if nothing was seen.

    The network says of each particle how large it is, relative to the diameter that the micrograph was
    scaled for. Tried too small, particles seem larger than that, tried too large they seem smaller: where
    the one becomes the other lies the diameter. Of several such places the one with most evidence counts;
    where there is none, the diameter with most evidence is a guess.

    Parameters
    ----------
    micrographs
        Of each, what :func:`ask` returned.
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
    stands_out = best.evidence >= CONTRAST * float(np.median([rung.evidence for rung in rungs]))
    return DiameterEstimate(
        best.diameter_A,
        tuple(rung.diameter_A for rung in others),
        tuple(rung.diameter_A for rung in rungs),
        tuple(rung.evidence for rung in rungs),
        round(best.particles),
        bool(turns) and stands_out and best.particles >= FEWEST,
    )


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


def _middle(image: NDArray[np.float32], side_px: int) -> NDArray[np.float32]:
    """Return the middle of an ``(h, w)`` image, at most ``side_px`` a side."""
    top, left = (max(0, (side - side_px) // 2) for side in image.shape)
    return image[top : top + side_px, left : left + side_px]
