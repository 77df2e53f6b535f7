"""Search of one micrograph over particle diameters: coarse first, then fine beside the likeliest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError
from cryopick_ray.pickers.heatmap.diameter import DiameterTrial, beside, ladder, weigh
from cryopick_ray.pickers.heatmap.picker import HeatmapPicker
from cryopick_ray.pickers.heatmap.polarity import are_bright, evidence
from cryopick_ray.pickers.heatmap.scales import Scales
from cryopick_ray.settings.run_settings import Invert
from cryopick_ray.units import working_pixel_size_A

ACROSS = 5
"""Diameters that must fit across a micrograph."""
LARGEST_ENLARGEMENT = 2.0
"""Enlargement beyond which a micrograph's pixels are too coarse for so small a particle."""
SURELY_DARK = 0.02
"""Evidence for dark particles at any of the diameters from which the negative is not searched: at some
diameters, gaps between bright particles look more like particles than at the right one."""

Trials = tuple[DiameterTrial, ...]


@dataclass(frozen=True)
class SearchEffort:
    """How thoroughly a micrograph is searched.

    Attributes
    ----------
    step
        Step along the ladder of diameters in the coarse search.
    coarse, fine
        Side of the searched middle of a micrograph, in diameters: in the coarse search, and in the fine one
        beside the likeliest diameter.
    """

    step: int
    coarse: int
    fine: int


QUICK, THOROUGH = SearchEffort(2, 10, 24), SearchEffort(1, 40, 40)
"""The network predicts sizes from 0.75 to 1.4 times the diameter tried, so that every second diameter of the
ladder shows beside which to search finely."""


class DiameterSearch:
    """A network's candidates of one micrograph at several diameters, each computed once.

    Parameters
    ----------
    image
        ``(h, w)`` float32.
    """

    def __init__(self, image: NDArray[np.float32], pixel_size_A: float, picker: HeatmapPicker) -> None:
        self._scales, self._picker = Scales(image, pixel_size_A), picker
        self._done: dict[tuple[float, bool, float], DiameterTrial | None] = {}

    def answers(self, invert: Invert, effort: SearchEffort) -> tuple[Trials, bool]:
        """Return the trials of one polarity, and whether particles are bright: then they are of the negative.

        Parameters
        ----------
        invert
            Whether particles are brighter than the ice.
        effort
            :data:`QUICK` or :data:`THOROUGH`.
        """
        if invert != "auto":
            return self._search(effort, negative=invert == "yes"), invert == "yes"
        dark = self._search(effort, negative=False)
        if (for_dark := most_evidence(dark)) >= SURELY_DARK:
            return dark, False
        bright = most_evidence(self._coarse_search(effort, negative=True))
        return (self._search(effort, negative=True), True) if are_bright(for_dark, bright) else (dark, False)

    def _search(self, effort: SearchEffort, *, negative: bool) -> Trials:
        """Return the trials of the coarse search, with finer ones beside its likeliest diameter."""
        trials = {trial.diameter_A: trial for trial in self._coarse_search(effort, negative=negative)}
        if estimate := weigh([tuple(trials.values())]):
            near = self.ask(beside(estimate.diameter_A), effort.fine, negative=negative)
            trials |= {trial.diameter_A: trial for trial in near}
        return tuple(trials.values())

    def _coarse_search(self, effort: SearchEffort, *, negative: bool) -> Trials:
        return self.ask(ladder()[:: effort.step], effort.coarse, negative=negative)

    def ask(self, tried_A: Iterable[float], across: int, *, negative: bool = False) -> Trials:
        """Return the trials at those of the diameters that the micrograph is large and fine enough for.

        Parameters
        ----------
        across
            Side of the searched middle, in diameters.
        """
        picker, scales = self._picker, self._scales
        trials = []
        for diameter_A in tried_A:
            target_A = working_pixel_size_A(diameter_A, picker.particle_px)
            too_large = diameter_A * ACROSS > scales.side_A
            if too_large or scales.pixel_size_A > LARGEST_ENLARGEMENT * target_A:
                continue
            image, area_A2 = scales.middle(across * diameter_A, target_A)
            key = diameter_A, negative, area_A2
            if key not in self._done:
                self._done[key] = self._trial(-image if negative else image, diameter_A, area_A2)
            if trial := self._done[key]:
                trials.append(trial)
        return tuple(trials)

    def _trial(self, image: NDArray[np.float32], diameter_A: float, area_A2: float) -> DiameterTrial | None:
        """Return the trial of an image at the picker's scale; ``None`` without contrast."""
        try:
            with torch.inference_mode():
                (sized,) = self._picker.pick_sized(torch.from_numpy(image)[None].to(self._picker.device))
        except MicrographError:  # nothing but one grey value is left at this scale
            return None
        return DiameterTrial(diameter_A, sized.peak, sized.size, area_A2)


def most_evidence(trials: Sequence[DiameterTrial]) -> float:
    """Return the greatest evidence for particles of one polarity at any diameter."""
    return max((evidence(trial.score, trial.area_A2 / trial.diameter_A**2) for trial in trials), default=0.0)
