"""How large particles are, as a heat-map network sees them: it is asked at several scales."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError, UsageError
from cryopick_ray.micrographs.resample import fourier_resize
from cryopick_ray.pickers.heatmap.picker import HeatmapPicker
from cryopick_ray.units import resampled_shape, working_pixel_size_A

SMALLEST_A, LARGEST_A, STEP = 50.0, 900.0, 1.3
"""Diameters tried, each so many times the one before: nearer than sizes that a network has learnt."""
ACROSS = 5
"""Diameters that must fit across a micrograph."""
MOST_ACROSS = 60
"""Diameters across what is looked at, the middle of a larger micrograph: enough to tell, in seconds."""
LARGEST_ENLARGEMENT = 2.0
"""Beyond which a micrograph's pixels are too coarse for so small a particle."""
LEAST_SCORE = 0.3
"""Of picks that say something, where the model has no threshold."""
FEWEST = 10
"""Picks without which a size is chance."""
LEAST_EVIDENCE = 0.003
"""Part of the micrographs that picks cover below which a diameter is a guess; sparse ones reach 0.01."""
STEADY, ROUNDS = 0.02, 4
"""The search ends where the diameter changes by less than this part, or after so many rounds."""


@dataclass(frozen=True)
class DiameterEstimate:
    """A particle's longest dimension, and what speaks for it.

    Attributes
    ----------
    diameter_A
        Longest dimension in angstroms.
    tried_A, evidence
        ``(n,)`` diameters tried, and the share of the micrographs' area that picks of that size cover.
    particles
        Picks it rests on.
    is_sure
        Whether particles stopped to seem larger at some diameter, and picks cover enough there.
    """

    diameter_A: float
    tried_A: tuple[float, ...]
    evidence: tuple[float, ...]
    particles: int
    is_sure: bool


@dataclass(frozen=True, eq=False)
class _Answer:
    """What was found when a diameter was tried.

    Attributes
    ----------
    diameter_A
        The diameter.
    score, size
        ``(n,)`` scores of the picks, and how many times larger than the diameter each seems to be.
    area_A2
        Of all micrographs looked at.
    """

    diameter_A: float
    score: NDArray[np.float32]
    size: NDArray[np.float32]
    area_A2: float

    @property
    def ratio(self) -> float:
        """The picks' size in the diameter tried: the median, sure picks counting more."""
        order = np.argsort(self.size)
        weight = np.cumsum(self.score[order] ** 2)
        return float(self.size[order][np.searchsorted(weight, weight[-1] / 2)])

    @property
    def evidence(self) -> float:
        """How much of the micrographs sure picks of the diameter tried cover.

        A pick counts as far as the size it seems to have is the one tried.
        """
        nearness = np.exp(-((np.log(self.size) / np.log(STEP)) ** 2))
        return float((self.score**2 * nearness).sum() * self.diameter_A**2 / self.area_A2)


def estimate_diameter(
    images: Sequence[NDArray[np.float32]], pixel_sizes_A: Sequence[float], picker: HeatmapPicker
) -> DiameterEstimate:
    """Return the diameter at which the particles seem to have just the size that was tried.

    The network says of each particle how large it is, relative to the diameter that the micrograph was
    scaled for. Tried too small, particles seem larger than that, tried too large they seem smaller: where
    the one becomes the other lies the diameter. Of several such places the one counts whose picks cover
    most of the micrographs.

    Parameters
    ----------
    images
        ``(h, w)`` float32 micrographs, particles dark.
    pixel_sizes_A
        Each one's pixel size.

    Raises
    ------
    UsageError
        If too little is found at any diameter.
    """
    steps = int(np.log(LARGEST_A / SMALLEST_A) / np.log(STEP))
    ladder = [SMALLEST_A * STEP**step for step in range(steps + 1)]
    tried = [
        answer
        for diameter_A in ladder
        if len((answer := _ask(images, pixel_sizes_A, picker, diameter_A)).score) >= FEWEST
    ]
    if not tried:
        raise UsageError(f"fewer than {FEWEST} particles were found at every diameter tried")
    turns = list(_turns(tried))
    best = max(turns or tried, key=lambda one: one.evidence)
    for _ in range(ROUNDS):
        change = best.ratio
        again = _ask(images, pixel_sizes_A, picker, best.diameter_A * change)
        if len(again.score) < FEWEST:
            break
        best = again
        if abs(change - 1) < STEADY:
            break
    return DiameterEstimate(
        best.diameter_A * best.ratio,
        tuple(one.diameter_A for one in tried),
        tuple(one.evidence for one in tried),
        len(best.score),
        bool(turns) and best.evidence >= LEAST_EVIDENCE,
    )


def _turns(tried: Sequence[_Answer]) -> Iterator[_Answer]:
    """Yield what was tried next to where particles stop to seem larger."""
    for small, large in pairwise(tried):
        if small.ratio >= 1 > large.ratio:
            yield min(small, large, key=lambda one: abs(np.log(one.ratio)))


def _ask(
    images: Sequence[NDArray[np.float32]],
    pixel_sizes_A: Sequence[float],
    picker: HeatmapPicker,
    diameter_A: float,
) -> _Answer:
    """Pick all micrographs that are large and fine enough for a diameter."""
    least = LEAST_SCORE if picker.threshold is None else picker.threshold
    scores, sizes, area_A2 = [np.empty(0, np.float32)], [np.empty(0, np.float32)], 0.0
    for image, pixel_size_A in zip(images, pixel_sizes_A, strict=True):
        target_A = working_pixel_size_A(diameter_A, picker.particle_px)
        image = _middle(image, int(MOST_ACROSS * diameter_A / pixel_size_A))
        too_large = diameter_A * ACROSS > min(image.shape) * pixel_size_A
        if too_large or pixel_size_A > LARGEST_ENLARGEMENT * target_A:
            continue
        shape = resampled_shape((image.shape[0], image.shape[1]), pixel_size_A, target_A)
        resized = torch.from_numpy(fourier_resize(image, shape))[None].to(picker.device)
        try:
            with torch.inference_mode():
                (found,) = picker.pick_sized(resized)
        except MicrographError:
            continue
        sure = found.candidates.score >= least
        scores.append(found.candidates.score[sure])
        sizes.append(found.size[sure])
        area_A2 += image.size * pixel_size_A**2
    return _Answer(diameter_A, np.concatenate(scores), np.concatenate(sizes), max(area_A2, 1.0))


def _middle(image: NDArray[np.float32], side_px: int) -> NDArray[np.float32]:
    """Return the middle of an ``(h, w)`` image, at most ``side_px`` a side."""
    top, left = (max(0, (side - side_px) // 2) for side in image.shape)
    return image[top : top + side_px, left : left + side_px]
