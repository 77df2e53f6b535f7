"""Robust statistics of grey values, found where the images lie."""

import numpy as np
import torch
from torch import Tensor

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.preprocess import SIGMAS_PER_MAD

SAMPLE = 2**17
"""Pixels of an image that stand for all: a median is then off by 0.35 % of a standard deviation."""


def refuse_without_contrast(images: Tensor) -> None:
    """Refuse ``(n, h, w)`` images that cannot be normalised.

    Raises
    ------
    MicrographError
        If one is empty, constant or holds NaN or infinite values.
    """
    ends = torch.stack([torch.stack(image.aminmax()) for image in images]) if images.numel() else images
    if not images.numel() or not bool(torch.isfinite(ends).all()):
        raise MicrographError("cannot normalise: the image is empty or holds NaN or infinite values")
    constant = ends[ends[:, 0] == ends[:, 1], 0]
    if len(constant):
        raise MicrographError(f"cannot normalise: the image is constant ({constant[0].item():g})")


def sampled(images: Tensor) -> Tensor:
    """Return ``(n, k)`` pixels of ``(n, h, w)`` images, evenly spaced: all, or at most :data:`SAMPLE`."""
    pixels = images.flatten(1)
    step = -(-pixels.shape[1] // SAMPLE)
    return pixels[:, :: step | 1]  # odd: a chequered image is not sampled on one colour


def centre_and_sigma(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the medians of ``(n, k)`` values and 1.4826 median absolute deviations, ``(n, 1)`` both."""
    centre = _medians(values)
    return centre, SIGMAS_PER_MAD * _medians((values - centre).abs())


def _medians(values: Tensor) -> Tensor:
    """Return the lower medians, ``(n, 1)``."""
    if values.device.type != "cpu":
        return values.median(dim=1, keepdim=True).values
    middle = (values.shape[1] - 1) // 2  # NumPy's selection is seven times as fast as torch's
    return torch.from_numpy(np.partition(values.numpy(), middle, axis=1)[:, middle : middle + 1].copy())
