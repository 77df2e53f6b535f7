"""Smoothing of images and score maps by a narrow Gaussian, in torch, on their device."""

import math

import torch
from torch import Tensor

from cryopick_ray.pickers.patches import mirrored

SIGMAS = 3.0
"""Where the Gaussian of :func:`smoothed` ends."""


def smoothed(maps: Tensor, sigma_px: float, *, floor: float) -> Tensor:
    """Return ``(n, h, w)`` score maps smoothed by a Gaussian, mirrored at their edges; unchanged for sigma 0.

    Where scores are high all around a centre, the middle stands out. Scores below ``floor`` count as
    ``floor``; ``-inf``, which is no peak, stays.
    """
    if sigma_px == 0 or 0 in maps.shape:
        return maps
    reach_px = math.ceil(SIGMAS * sigma_px)
    rows, columns = (range(-reach_px, side + reach_px) for side in maps.shape[1:])
    wide = mirrored(maps.clamp(min=floor), rows, columns)
    down = smoothed_along(wide, 1, sigma_px, reach_px)
    smooth = smoothed_along(down, 2, sigma_px, reach_px)
    return smooth.masked_fill(maps == -torch.inf, -torch.inf)


def smoothed_along(padded: Tensor, axis: int, sigma_px: float, reach_px: int) -> Tensor:
    """Return values smoothed along an axis by ``2 reach_px + 1`` Gaussian weights, without the margins."""
    away = torch.arange(reach_px + 1, dtype=torch.float64)
    weights = torch.exp(-((away / sigma_px) ** 2) / 2)
    middle, *others = (weights / (2 * weights.sum() - weights[0])).tolist()
    length = padded.shape[axis] - 2 * reach_px
    smooth: Tensor = middle * padded.narrow(axis, reach_px, length)
    for step, weight in enumerate(others, 1):
        for start in (reach_px - step, reach_px + step):
            smooth.add_(padded.narrow(axis, start, length), alpha=weight)
    return smooth
