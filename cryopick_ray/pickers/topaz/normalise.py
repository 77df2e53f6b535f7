"""Topaz's normalisation: the ice becomes zero mean and unit variance, whatever else is in view.

Pixels are a mixture of ice and something darker (carbon, contamination, particles), two Gaussians of
one variance; a Beta(900, 1) prior says that nearly all of it is ice (Bepler et al. 2019, Methods;
the defaults of ``topaz preprocess``). The mixture is fitted by expectation-maximisation.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

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
    centres = (np.arange(LEVELS) + 0.5) / LEVELS
    sample = np.sort(image, axis=None)[(centres * image.size).astype(int)] if image.size else image
    if not sample.size or not np.isfinite(image).all():
        raise MicrographError("cannot normalise: the image is empty or holds NaN or infinite values")
    mean, std = float(sample.mean(dtype=np.float64)), float(sample.std(dtype=np.float64))
    if not std > 0:
        raise MicrographError(f"cannot normalise: the image is constant ({mean:g})")
    ice, gain = _best_mixture((sample.astype(np.float64) - mean) / std, image.size / LEVELS)
    if gain <= ICE_PRIOR:
        return Ice(mean, std, 1.0)
    return Ice(mean + std * ice.mean, std * ice.std, ice.fraction)


def normalise(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the image with its ice at zero mean and unit standard deviation; see :func:`fit_ice`."""
    ice = fit_ice(image)
    return ((image - np.float32(ice.mean)) / np.float32(ice.std)).astype(np.float32)


def _best_mixture(levels: NDArray[np.float64], pixels: float) -> tuple[Ice, float]:
    """Fit two components to standardised grey levels that stand for ``pixels`` pixels each.

    Returns the brighter one of the best fit and by how many nats the fit's log posterior exceeds
    the likelihood of one Gaussian.
    """
    is_ice = (levels >= np.quantile(levels, 1 - np.array(STARTS))[:, None]).astype(np.float64)
    for _ in range(STEPS):  # is_ice: (starts, levels), the rest (starts, 1)
        ice_sum = is_ice.sum(axis=1, keepdims=True)
        dark_sum = np.maximum(len(levels) - ice_sum, 1e-9)
        bright = (is_ice * levels).sum(axis=1, keepdims=True) / ice_sum
        dark = ((1 - is_ice) * levels).sum(axis=1, keepdims=True) / dark_sum
        squares = is_ice * (levels - bright) ** 2 + (1 - is_ice) * (levels - dark) ** 2
        variance = np.maximum(squares.mean(axis=1, keepdims=True), 1e-9)
        fraction = (pixels * ice_sum + ICE_PRIOR - 1) / (pixels * len(levels) + ICE_PRIOR - 1)
        fraction = np.minimum(fraction, 1 - 1e-12)
        to_middle = levels - (bright + dark) / 2
        log_odds = np.log(fraction / (1 - fraction)) + (bright - dark) * to_middle / variance
        is_ice = expit(log_odds)
    of_ice = np.log(fraction) - ((levels - bright) ** 2 / variance + np.log(variance)) / 2
    of_both = of_ice + np.logaddexp(0, -log_odds)  # p(x) = p(x, ice) / p(ice | x)
    of_one = -(levels**2) / 2
    gain = pixels * (of_both - of_one).sum(axis=1) + (ICE_PRIOR - 1) * np.log(fraction[:, 0])
    best = int(np.argmax(gain))
    ice = Ice(float(bright[best, 0]), float(np.sqrt(variance[best, 0])), float(fraction[best, 0]))
    return ice, float(gain[best])
