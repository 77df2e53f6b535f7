"""From the pixels of a file to what pickers see: checked, clipped, resampled, normalised."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.resample import fourier_resize
from cryopick_ray.units import Shape

SAMPLE_PIXELS = 2**20  # enough for a median to one part in a thousand of sigma
CLIP_SIGMAS = 10.0
SIGMAS_PER_MAD = 1.4826  # of a normal distribution
LARGEST = 1e30  # float32 transforms overflow not far above; no detector counts so far
ROUNDING = 1e-4  # sigma below this part of the spread is that of a padding, resampled
FLAT = 1e-6  # contrast below this part of the values is float32 rounding


@dataclass(frozen=True, eq=False)
class Normalised:
    """An image brought to median 0 and robust sigma 1.

    Attributes
    ----------
    pixels
        ``(h, w)`` float32, finite.
    offset, scale
        The values of the file are ``pixels * scale + offset``.
    """

    pixels: NDArray[np.float32]
    offset: float
    scale: float


def prepare(pixels: NDArray[Any], shape: Shape) -> Normalised:
    """Check, clip, resample and normalise one micrograph.

    Parameters
    ----------
    pixels
        ``(h, w)`` as stored in the file, any real number type and byte order.
    shape
        Height and width at the working pixel size.

    Raises
    ------
    MicrographError
        Pixels are NaN or infinite, or the image has no contrast.
    """
    check_pixels(pixels)
    clipped = clip_outliers(pixels)
    return normalise(clipped if clipped.shape == shape else fourier_resize(clipped, shape))


def check_pixels(image: NDArray[Any]) -> None:
    """Refuse an image that carries no signal or whose pixels are not all numbers.

    Raises
    ------
    MicrographError
        NaN or infinite pixels (the message counts them), a constant image, or values that float32
        arithmetic does not bear.
    """
    lowest, highest = float(image.min()), float(image.max())  # NaN if there is any
    if not np.isfinite([lowest, highest]).all():
        bad = image.size - int(np.count_nonzero(np.isfinite(image)))
        raise MicrographError(f"{bad} of {image.size} pixels are NaN or infinite")
    largest = max(abs(lowest), abs(highest))
    if largest > LARGEST:
        raise MicrographError(f"pixel values reach {largest:.3g}; expected at most {LARGEST:g}")
    if highest - lowest <= max(FLAT * largest, 1 / LARGEST):
        raise MicrographError(f"the image is constant: all pixels are {lowest:g}")


def clip_outliers(image: NDArray[Any]) -> NDArray[np.float32]:
    """Return a float32 copy clipped to the median +- 10 robust sigma.

    Hot pixels and X-rays would ring over the whole field after a Fourier crop.
    """
    centre, sigma = _centre_and_sigma(image)
    low, high = np.float32(centre - CLIP_SIGMAS * sigma), np.float32(centre + CLIP_SIGMAS * sigma)
    clipped = np.empty(image.shape, np.float32)
    np.clip(image, low, high, out=clipped, casting="same_kind")
    return clipped


def normalise(image: NDArray[np.float32]) -> Normalised:
    """Return the image with median 0 and robust sigma (MAD x 1.4826) 1.

    Raises
    ------
    MicrographError
        The image has no contrast: what the file had was finer than the pixels here.
    """
    offset, scale = _centre_and_sigma(image)
    if scale <= max(FLAT * abs(offset), 1 / LARGEST):
        raise MicrographError("the image has no contrast left at the working pixel size")
    pixels = image - np.float32(offset)
    pixels /= np.float32(scale)
    return Normalised(pixels, offset, scale)


def _centre_and_sigma(image: NDArray[Any]) -> tuple[float, float]:
    """Return the median and the robust sigma, or the plain one where half the pixels are equal."""
    step = int(np.ceil(np.sqrt(image.size / SAMPLE_PIXELS)))
    sample = image[::step, ::step].astype(np.float64)
    centre = float(np.median(sample))
    sigma = SIGMAS_PER_MAD * float(np.median(np.abs(sample - centre)))
    low, high = np.percentile(sample, (5, 95))
    if sigma <= ROUNDING * (high - low):
        sigma = float(np.std(image, dtype=np.float64))
    return centre, sigma
