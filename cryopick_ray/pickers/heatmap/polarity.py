"""Polarity: whether particles are darker or brighter than the ice, found by a heat-map network.

Such a network has learnt dark particles and finds fewer where they are bright. So where it finds few it is
run on the negative, too, and particles are bright where it finds far more in that; otherwise dark.
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
"""Exponent of scores in the evidence: gaps between bright particles look like particles, never surely."""
SURE = 0.04
"""Evidence from which the negative is not needed. Bright particles of 60 molecules gave 0.033 at
most, but for empty capsids, which look alike both ways, 0.056."""
LEAST, MARGIN = 0.001, 2.5
"""Least evidence for bright particles, and its least ratio to that for dark ones. Negatives of ice, carbon
and contamination gave 0.0003 at most, those of particles 0.4 times what the particles did, but for empty
capsids."""
ACROSS = 16
"""Diameters across the middle of a micrograph that is judged for a picker of another kind."""


PolarityJudge = NetworkPicker[Any]


def judge_for(picker: Picker) -> PolarityJudge:
    """Return the network that judges the polarity: the picker itself, or the default model.

    Pickers of other kinds find as much in a negative: gaps in a crowd are blobs, too. The default model runs
    in float32, so that another machine finds the same.
    """
    if isinstance(picker, NetworkPicker) and picker.tells_polarity:
        return picker
    judge = load_picker(DEFAULT_MODEL, particle_px=None, device=str(picker.device), exact=True)
    assert isinstance(judge, NetworkPicker)
    return judge


def polarity_settings(picker: Picker) -> dict[str, Any]:
    """Return the settings that decide a micrograph's polarity, as plain JSON."""
    judge = judge_for(picker)
    of_judge = "itself" if judge is picker else {**judge.settings(), "across": ACROSS}
    return {"power": POWER, "sure": SURE, "least": LEAST, "margin": MARGIN, "judge": of_judge}


def evidence(score: NDArray[np.float32], squares: float) -> float:
    """Return the evidence for particles of one polarity.

    Parameters
    ----------
    score
        ``(n,)`` scores of the candidates.
    squares
        Searched area, in squares of the particle's diameter.
    """
    return float(np.sum(score.astype(np.float64) ** POWER)) / squares


def are_bright(dark: float, bright: float) -> bool:
    """Tell whether particles are bright, given the evidence in the image and in its negative."""
    return bright >= LEAST and bright > MARGIN * dark


def pick_with_polarity(picker: Picker, judge: PolarityJudge, images: Tensor) -> list[tuple[Candidates, bool]]:
    """Return the candidates of ``(n, h, w)`` images, or of their negatives where particles are bright.

    Parameters
    ----------
    images
        At the picker's scale, on its device.
    judge
        From :func:`judge_for`.

    Returns
    -------
    For each image its candidates, and whether they are the negative's.

    Raises
    ------
    MicrographError
        As the picker's ``pick_many``.
    """
    if judge is not picker:
        part = _middle(images, picker.particle_px, judge.particle_px)
        bright = [bool(_of_one(judge, is_bright)) for is_bright in part[:, None]]
        signs = torch.tensor([-1.0 if is_bright else 1.0 for is_bright in bright], device=images.device)
        return list(zip(picker.pick_many(images * signs[:, None, None]), bright, strict=True))
    candidates = judge.pick_many(images)
    negatives = _brighter(judge, images, candidates)
    return [(negatives.get(at, is_bright), at in negatives) for at, is_bright in enumerate(candidates)]


def _brighter(
    judge: PolarityJudge, images: Tensor, candidates: Sequence[Candidates]
) -> Mapping[int, Candidates]:
    """Return the negatives' candidates of the images whose particles are bright, by index."""
    squares = images[0].numel() / judge.particle_px**2
    dark = [evidence(of_image.score, squares) for of_image in candidates]
    unsure = [at for at, for_dark in enumerate(dark) if for_dark < SURE]
    if not unsure:
        return {}
    negatives = zip(unsure, judge.pick_many(images[unsure].neg()), strict=True)
    return {
        at: of_image for at, of_image in negatives if are_bright(dark[at], evidence(of_image.score, squares))
    }


def _of_one(judge: PolarityJudge, image: Tensor) -> Mapping[int, Candidates]:
    """Return the same for a ``(1, h, w)`` image; a constant one has no bright particles."""
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
