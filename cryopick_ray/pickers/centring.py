"""Score maps through a Gaussian: where scores are high all around a centre, the middle stands out."""

import torch
from torch import Tensor
from torch.nn import functional

TRUNCATE = 3.0
"""Sigmas at which the Gaussian ends."""


def smoothed_maps(maps: Tensor, *, sigma_px: float, floor: float) -> Tensor:
    """Return ``(n, h, w)`` maps through a Gaussian; ``-inf``, which is no peak, stays.

    Scores below ``floor`` count as ``floor``, and a map goes on with its outermost values.
    """
    reach = max(1, round(TRUNCATE * sigma_px))
    away = torch.arange(-reach, reach + 1, dtype=torch.float64)
    weights = torch.exp(-((away / sigma_px) ** 2) / 2)
    kernel = (weights / weights.sum()).to(maps)
    smooth = functional.pad(maps.clamp(min=floor)[:, None], [reach] * 4, mode="replicate")
    smooth = functional.conv2d(smooth, kernel[None, None, :, None])
    smooth = functional.conv2d(smooth, kernel[None, None, None, :])[:, 0]
    return smooth.masked_fill(maps == -torch.inf, -torch.inf)
