"""Topaz's normalisation: the ice becomes zero mean and unit variance, whatever else is in view.

Pixels are a mixture of ice and something darker (carbon, contamination, particles), two Gaussians of
one variance; a Beta(900, 1) prior says that nearly all of it is ice (Bepler et al. 2019, Methods;
the defaults of ``topaz preprocess``). The mixture is fitted by expectation-maximisation.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cryopick_ray.errors import MicrographError

ICE_PRIOR = (
    900.0  # alpha of the Beta prior; Topaz also asks for this many nats before it takes two components
)
STARTS = (0.5, 0.9, 0.98)  # fractions of ice to start from: EM finds the nearest of several maxima
STEPS = 100
LEVELS = 2048  # quantiles stand for the pixels: a fit in milliseconds, the same for any order of them


@dataclass(frozen=True)
class Ice:
    """Grey values of the ice: mean, standard deviation and the fraction of pixels that are ice."""

    mean: float
    std: float
    fraction: float


def fit_ice(image: NDArray[np.float32]) -> Ice:
    """Return the brighter component of an ``(h, w)`` image, or all of it if one Gaussian will do.

    Raises
    ------
    MicrographError
        If the image is empty, constant or holds NaN or infinite values.
    """
    return Ice(*fit_ices(torch.from_numpy(image)[None])[0].tolist())


def normalise(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the image with its ice at zero mean and unit standard deviation; see :func:`fit_ice`."""
    return normalised(torch.from_numpy(image)[None])[0].numpy()


def normalised(images: Tensor) -> Tensor:
    """Return ``(n, h, w)`` images, each with its ice at zero mean and unit standard deviation."""
    ices = fit_ices(images).float()[..., None, None]
    return (images - ices[:, 0]) / ices[:, 1]


def fit_ices(images: Tensor) -> Tensor:
    """Return mean, standard deviation and fraction ``(n, 3)`` of the ice of ``(n, h, w)`` images.

    Raises
    ------
    MicrographError
        As :func:`fit_ice`.
    """
    levels = _levels(images)
    std, mean = torch.std_mean(levels, 1, correction=0, keepdim=True)
    if not bool((std > 0).all()):
        constant = float(mean[std <= 0][0])
        raise MicrographError(f"cannot normalise: the image is constant ({constant:g})")
    ice, gain = _best_mixtures((levels - mean) / std, images[0].numel() / LEVELS)
    of_all = levels.new_tensor([0.0, 1.0, 1.0])
    found = torch.where(gain[:, None] > ICE_PRIOR, ice, of_all)
    return torch.cat([mean + std * found[:, :1], std * found[:, 1:2], found[:, 2:]], 1)


def _levels(images: Tensor) -> Tensor:
    """Return ``(n, LEVELS)`` float64 quantiles of the grey values of each image, lowest first."""
    flat = images.flatten(1)
    count = flat.shape[1]
    if not count or not bool(torch.isfinite(flat).all()):
        raise MicrographError("cannot normalise: the image is empty or holds NaN or infinite values")
    places = torch.from_numpy(((np.arange(LEVELS) + 0.5) / LEVELS * count).astype(np.intp))
    if flat.device.type == "cpu":  # NumPy sorts twenty times as fast as torch does there
        ordered = torch.from_numpy(np.sort(flat.numpy(), axis=1))
    else:
        ordered = flat.sort(dim=1).values
    return ordered[:, places.to(flat.device)].double()


def _best_mixtures(levels: Tensor, pixels: float) -> tuple[Tensor, Tensor]:
    """Fit two components to ``(n, LEVELS)`` standardised grey levels that stand for so many pixels each.

    Returns the brighter one of each best fit, its mean, standard deviation and fraction ``(n, 3)``, and by
    how many nats the fit's log posterior exceeds the likelihood of one Gaussian ``(n,)``.
    """
    count = levels.shape[1]
    powers = torch.stack([torch.ones_like(levels), levels, levels.square()], 2)
    whole = powers.sum(1, keepdim=True)
    starts = 1 - levels.new_tensor(STARTS)
    is_ice = (torch.arange(count, device=levels.device) >= starts[:, None] * (count - 1)).double()
    x = levels[:, None]
    for _ in range(STEPS):  # is_ice: (n, starts, levels), the rest (n, starts, 1)
        sums = is_ice @ powers
        ice, ice_1, ice_2 = torch.unbind(sums[..., None], 2)
        dark, dark_1, dark_2 = torch.unbind((whole - sums)[..., None], 2)
        bright_mean, dark_mean = ice_1 / ice, dark_1 / dark.clamp(min=1e-9)
        squares = ice_2 - bright_mean * ice_1 + dark_2 - dark_mean * dark_1
        variance = (squares / count).clamp(min=1e-9)
        fraction = (pixels * ice + ICE_PRIOR - 1) / (pixels * count + ICE_PRIOR - 1)
        fraction = fraction.clamp(max=1 - 1e-12)
        slope = (bright_mean - dark_mean) / variance
        middle = (bright_mean + dark_mean) / 2
        log_odds = slope * x + (torch.logit(fraction) - slope * middle)
        is_ice = torch.sigmoid(log_odds)
    of_ice = fraction.log() - ((x - bright_mean).square() / variance + variance.log()) / 2
    of_both = of_ice + functional.softplus(-log_odds)  # p(x) = p(x, ice) / p(ice | x)
    gain = pixels * (of_both + x.square() / 2).sum(2) + (ICE_PRIOR - 1) * fraction[..., 0].log()
    found = torch.cat([bright_mean, variance.sqrt(), fraction], 2)
    best = gain.argmax(1)
    each = torch.arange(len(levels), device=levels.device)
    return found[each, best], gain[each, best]
