"""One micrograph looked at for its particles' diameter: at a glance, and well where that shows them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError
from cryopick_ray.pickers.heatmap.diameter import Answer, beside, ladder, weigh
from cryopick_ray.pickers.heatmap.picker import HeatmapPicker
from cryopick_ray.pickers.heatmap.polarity import are_bright, evidence
from cryopick_ray.pickers.heatmap.scales import Scales
from cryopick_ray.settings.run_settings import Invert
from cryopick_ray.units import working_pixel_size_A

ACROSS = 5
"""Diameters that must fit across a micrograph."""
LARGEST_ENLARGEMENT = 2.0
"""Beyond which a micrograph's pixels are too coarse for so small a particle."""
SURELY_DARK = 0.02
"""Evidence for dark particles at one of the diameters from which the negative is not looked at: at one or
another, gaps between bright particles look more like particles than at the right one."""

Answers = tuple[Answer, ...]


@dataclass(frozen=True)
class Care:
    """How well a micrograph is looked at.

    Attributes
    ----------
    step
        Steps of the ladder from one diameter tried at a glance to the next.
    glance, well
        Diameters across what is seen at a glance, and across what is seen beside the likeliest diameter: the
        middle of a larger micrograph.
    """

    step: int
    glance: int
    well: int


QUICK, THOROUGH = Care(2, 10, 24), Care(1, 40, 40)
"""The network tells sizes from 0.75 to 1.4 times the diameter tried, so that every second diameter of the
ladder shows near which two to look well."""


class Look:
    """What a network sees in one micrograph; what it was asked once it is not asked again.

    Parameters
    ----------
    image
        ``(h, w)`` float32.
    """

    def __init__(self, image: NDArray[np.float32], pixel_size_A: float, picker: HeatmapPicker) -> None:
        self._scales, self._picker = Scales(image, pixel_size_A), picker
        self._asked: dict[tuple[float, bool, float], Answer | None] = {}

    def answers(self, invert: Invert, care: Care) -> tuple[Answers, bool]:
        """Return what is seen of one polarity, and whether particles are bright: then it is of the negative.

        Parameters
        ----------
        invert
            Whether particles are brighter than the ice.
        care
            :data:`QUICK` or :data:`THOROUGH`.
        """
        if invert != "auto":
            return self._seen(care, negative=invert == "yes"), invert == "yes"
        dark = self._seen(care, negative=False)
        if (seen := clearest(dark)) >= SURELY_DARK:
            return dark, False
        bright = clearest(self._glance(care, negative=True))
        return (self._seen(care, negative=True), True) if are_bright(seen, bright) else (dark, False)

    def _seen(self, care: Care, *, negative: bool) -> Answers:
        """Return what is seen at a glance, and beside the diameter that it makes likely what is seen well."""
        answers = {one.diameter_A: one for one in self._glance(care, negative=negative)}
        if found := weigh([tuple(answers.values())]):
            near = self.ask(beside(found.diameter_A), care.well, negative=negative)
            answers |= {one.diameter_A: one for one in near}
        return tuple(answers.values())

    def _glance(self, care: Care, *, negative: bool) -> Answers:
        return self.ask(ladder()[:: care.step], care.glance, negative=negative)

    def ask(self, tried_A: Iterable[float], across: int, *, negative: bool = False) -> Answers:
        """Return the answers at those of the diameters that the micrograph is large and fine enough for.

        Parameters
        ----------
        across
            Diameters across what is looked at.
        """
        picker, scales = self._picker, self._scales
        answers = []
        for diameter_A in tried_A:
            target_A = working_pixel_size_A(diameter_A, picker.particle_px)
            too_large = diameter_A * ACROSS > scales.side_A
            if too_large or scales.pixel_size_A > LARGEST_ENLARGEMENT * target_A:
                continue
            image, area_A2 = scales.middle(across * diameter_A, target_A)
            key = diameter_A, negative, area_A2
            if key not in self._asked:
                self._asked[key] = self._answer(-image if negative else image, diameter_A, area_A2)
            if answer := self._asked[key]:
                answers.append(answer)
        return tuple(answers)

    def _answer(self, image: NDArray[np.float32], diameter_A: float, area_A2: float) -> Answer | None:
        """Return what is found where particles are of the picker's size; ``None`` without contrast."""
        try:
            with torch.inference_mode():
                (found,) = self._picker.pick_sized(torch.from_numpy(image)[None].to(self._picker.device))
        except MicrographError:  # nothing but one grey value is left at this scale
            return None
        return Answer(diameter_A, found.peak, found.size, area_A2)


def clearest(answers: Sequence[Answer]) -> float:
    """Return the most evidence for particles of one polarity that there is at any diameter."""
    return max(
        (evidence(answer.score, answer.area_A2 / answer.diameter_A**2) for answer in answers), default=0.0
    )
