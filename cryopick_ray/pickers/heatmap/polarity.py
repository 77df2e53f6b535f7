"""Whether particles are darker or brighter than the ice, as a heat-map network sees it.

Such a network has learnt dark particles and sees less where they are bright. So where it does not see much
it is shown the negative, too, and particles are bright where it sees far more in that; else dark.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.errors import MicrographError
from cryopick_ray.pickers.catalogue import load_picker
from cryopick_ray.pickers.device.resize import fourier_resize_on_device
from cryopick_ray.pickers.network_picker import NetworkPicker
from cryopick_ray.pickers.picker import Candidates, Picker

POWER = 8
"""Of a score in its weight: gaps between bright particles are seen as particles, but never surely."""
SURE = 0.04
"""Evidence from which the negative need not be looked at. Bright particles of 60 molecules gave 0.033 at
most, but for empty capsids, which look alike both ways, 0.056."""
LEAST, MARGIN = 0.001, 2.5
"""Evidence for bright particles, and how many times that for dark ones it must be. Negatives of ice, carbon
and contamination gave 0.0003 at most, those of particles 0.4 times what the particles did, but for empty
capsids."""
ACROSS = 16
"""Diameters across the middle of a micrograph that is looked at for a picker of another kind."""


Judge = NetworkPicker[Any]


def judge_for(picker: Picker) -> Judge:
    """Return the network that tells the polarity: the picker itself, or the default one.

    Pickers of other kinds find as much in a negative: gaps in a crowd are blobs, too. The default one answers
    in float32, so that another machine finds the same.
    """
    if isinstance(picker, NetworkPicker) and picker.tells_polarity:
        return picker
    judge = load_picker(DEFAULT_MODEL, particle_px=None, device=str(picker.device), exact=True)
    assert isinstance(judge, NetworkPicker)
    return judge


def rule(picker: Picker) -> dict[str, Any]:
    """Return everything that decides a micrograph's polarity, as plain JSON."""
    judge = judge_for(picker)
    of_judge = "itself" if judge is picker else {**judge.settings(), "across": ACROSS}
    return {"power": POWER, "sure": SURE, "least": LEAST, "margin": MARGIN, "judge": of_judge}


def evidence(score: NDArray[np.float32], squares: float) -> float:
    """Return how much speaks for particles of one polarity.

    Parameters
    ----------
    score
        ``(n,)`` scores of the candidates.
    squares
        Area that was looked at, in squares of the particle's diameter.
    """
    return float(np.sum(score.astype(np.float64) ** POWER)) / squares


def are_bright(dark: float, bright: float) -> bool:
    """Tell whether particles are bright, given the evidence in the image and in its negative."""
    return bright >= LEAST and bright > MARGIN * dark


def pick_settled(picker: Picker, judge: Judge, images: Tensor) -> list[tuple[Candidates, bool]]:
    """Return the candidates of ``(n, h, w)`` images, or of their negatives where particles are bright.

    Parameters
    ----------
    images
        At the picker's scale, on its device.
    judge
        From :func:`judge_for`.

    Returns
    -------
    Of each image its candidates, and whether they are the negative's.

    Raises
    ------
    MicrographError
        As the picker's ``pick_many``.
    """
    if judge is not picker:
        part = _middle(images, picker.particle_px, judge.particle_px)
        bright = [bool(_of_one(judge, one)) for one in part[:, None]]
        signs = torch.tensor([-1.0 if one else 1.0 for one in bright], device=images.device)
        return list(zip(picker.pick_many(images * signs[:, None, None]), bright, strict=True))
    found = judge.pick_many(images)
    negatives = _brighter(judge, images, found)
    return [(negatives.get(at, one), at in negatives) for at, one in enumerate(found)]


def _brighter(judge: Judge, images: Tensor, found: Sequence[Candidates]) -> Mapping[int, Candidates]:
    """Return the negatives' candidates, by place, of the images whose particles are bright."""
    squares = images[0].numel() / judge.particle_px**2
    dark = [evidence(one.score, squares) for one in found]
    unsure = [at for at, seen in enumerate(dark) if seen < SURE]
    if not unsure:
        return {}
    negatives = zip(unsure, judge.pick_many(images[unsure].neg()), strict=True)
    return {at: one for at, one in negatives if are_bright(dark[at], evidence(one.score, squares))}


def _of_one(judge: Judge, image: Tensor) -> Mapping[int, Candidates]:
    """Do it for a ``(1, h, w)`` image; nothing is bright where nothing but one grey value is left."""
    try:
        return _brighter(judge, image, judge.pick_many(image))
    except MicrographError:
        return {}


def _middle(images: Tensor, particle_px: float, judge_px: float) -> Tensor:
    """Return the middle of images, :data:`ACROSS` diameters at most, at the judge's scale."""
    across = round(ACROSS * particle_px)
    top, left = (max(0, (side - across) // 2) for side in images.shape[1:])
    part = images[:, top : top + across, left : left + across]
    height, width = (max(1, round(side * judge_px / particle_px)) for side in part.shape[1:])
    return fourier_resize_on_device(part, (height, width))
