"""What cameras' computers and people do to a recorded image: filters, few grey levels, JPEG."""

from dataclasses import dataclass
from io import BytesIO
from typing import Annotated

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from PIL import Image

from cryopick_ray.settings.base import Settings
from cryopick_ray.simulate.drawn_ranges import (
    CountRange,
    FractionRange,
    NonNegativeRange,
    between,
    draw,
    draw_count,
    draw_log,
)

MOST_CLIPPED = 0.2
JPEG_BITS = 8


class ProcessingSettings(Settings):
    """What is done to the recorded image, in this order; 0 leaves a step out.

    Attributes
    ----------
    probability
        Of each step by itself.
    high_pass_A, low_pass_A
        Gaussian filters: the wavelength of which half the amplitude passes. 125 takes the dark body of a
        particle of 150 A away; denoised micrographs look like 60 to 100.
    bits
        Of the grey values: 8 is a thumbnail's. Between them lie the image's values without ``clipped``.
    clipped
        Share of the pixels at each end that become the darkest or the brightest grey value.
    jpeg
        Quality of a JPEG copy, 1 to 95; it has 8 bits.
    """

    probability: FractionRange = (1.0, 1.0)
    high_pass_A: Annotated[NonNegativeRange, between(0, 1e6)] = (0.0, 0.0)
    low_pass_A: Annotated[NonNegativeRange, between(0, 1e6)] = (0.0, 0.0)
    bits: Annotated[CountRange, between(0, 16)] = (0, 0)
    clipped: Annotated[FractionRange, between(0, MOST_CLIPPED)] = (0.0, 0.005)
    jpeg: Annotated[CountRange, between(0, 95)] = (0, 0)


@dataclass(frozen=True)
class Processing:
    """The steps of one micrograph, see :class:`ProcessingSettings`; 0 leaves one out."""

    high_pass_A: float = 0.0
    low_pass_A: float = 0.0
    bits: int = 0
    clipped: float = 0.0
    jpeg: int = 0


def draw_processing(rng: np.random.Generator, settings: ProcessingSettings) -> Processing:
    """Draw one micrograph's steps; wavelengths evenly in their logarithm."""
    probability = draw(rng, settings.probability)
    high_pass, low_pass, bits, jpeg = (rng.random(4) < probability).tolist()
    return Processing(
        high_pass_A=high_pass * _wavelength(rng, settings.high_pass_A),
        low_pass_A=low_pass * _wavelength(rng, settings.low_pass_A),
        bits=bits * draw_count(rng, settings.bits),
        clipped=draw(rng, settings.clipped),
        jpeg=jpeg * draw_count(rng, settings.jpeg),
    )


def process(image: NDArray[np.float32], pixel_size_A: float, steps: Processing) -> NDArray[np.float32]:
    """Return the ``(h, w)`` image after all steps; the same image if there are none."""
    if steps.high_pass_A or steps.low_pass_A:
        image = filtered(image, pixel_size_A, steps.high_pass_A, steps.low_pass_A)
    if steps.bits:
        image = quantised(image, steps.bits, steps.clipped)
    if steps.jpeg:
        image = jpeg_copy(quantised(image, JPEG_BITS, 0.0 if steps.bits else steps.clipped), steps.jpeg)
    return image


def filtered(
    image: NDArray[np.float32], pixel_size_A: float, high_pass_A: float, low_pass_A: float
) -> NDArray[np.float32]:
    """Take long or short wavelengths out of an ``(h, w)`` image by Gaussian filters; it keeps its mean.

    Amplitude ``1 - 2^-(k high_pass_A)^2`` and ``2^-(k low_pass_A)^2`` at frequency ``k``; a filter of 0
    passes all. The image is mirrored at its borders (cosine transform), so none of them leaks.
    """
    height, width = image.shape
    down, across = (np.arange(side, dtype=np.float32) / (2 * side * pixel_size_A) for side in (height, width))
    square_per_A2 = np.add.outer(down**2, across**2)
    spectrum = scipy.fft.dctn(image, norm="ortho")
    mean = spectrum[0, 0]
    if high_pass_A:
        spectrum *= 1 - np.exp2(-(np.float32(high_pass_A) ** 2) * square_per_A2)
    if low_pass_A:
        spectrum *= np.exp2(-(np.float32(low_pass_A) ** 2) * square_per_A2)
    spectrum[0, 0] = mean
    return np.asarray(scipy.fft.idctn(spectrum, norm="ortho", overwrite_x=True))


def quantised(image: NDArray[np.float32], bits: int, clipped: float) -> NDArray[np.float32]:
    """Return an image in whole grey values 0 to ``2^bits - 1``, its ends clipped; 0 where it is constant."""
    low, high = np.quantile(image, (clipped, 1 - clipped)).astype(np.float32)
    if high <= low:
        return np.zeros_like(image)
    most = np.float32(2**bits - 1)
    return np.asarray(np.rint(np.clip((image - low) * (most / (high - low)), 0, most)))


def jpeg_copy(image: NDArray[np.float32], quality: int) -> NDArray[np.float32]:
    """Return an image of grey values 0 to 255 after writing and reading it as JPEG."""
    file = BytesIO()
    Image.fromarray(image.astype(np.uint8)).save(file, "JPEG", quality=quality)
    with Image.open(file) as copy:
        return np.asarray(copy, np.float32)


def _wavelength(rng: np.random.Generator, between_A: tuple[float, float]) -> float:
    """Draw evenly in the logarithm, or, from a range that starts at 0, evenly."""
    return draw_log(rng, between_A) if between_A[0] > 0 else draw(rng, between_A)
