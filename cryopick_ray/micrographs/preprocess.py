"""Preparation of a file's pixels for pickers: checked, clipped, resampled, normalised."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.decimate import planned
from cryopick_ray.micrographs.fill import planned_fill
from cryopick_ray.micrographs.no_data import NO_AREAS, NoData, find_no_data, slack_px
from cryopick_ray.micrographs.normalised_image import NormalisedImage
from cryopick_ray.micrographs.resample import block_rows, resize_blocks, row_blocks
from cryopick_ray.units import Shape

PREPARATION = 2
"""Of what :func:`prepare` makes: 1 before large crops had a low pass first."""
SAMPLE_PIXELS = 2**20  # enough for a median to one part in a thousand of sigma
CLIP_SAMPLE_PIXELS = 2**16  # and to one in two hundred, for limits that far out
CLIP_SIGMAS = 10.0
SIGMAS_PER_MAD = 1.4826  # of a normal distribution
LARGEST = 1e30  # float32 transforms overflow not far above; no detector counts so far
ROUNDING = 1e-4  # sigma below this part of the spread is that of a padding, resampled
FLAT = 1e-6  # contrast below this part of the values is float32 rounding
MOST_WITHOUT_DATA = 0.9  # what is left would not tell grey values from particles


def prepare(
    pixels: NDArray[Any], shape: Shape, seen: Callable[[NDArray[Any]], object] | None = None
) -> NormalisedImage:
    """Check, fill where there are no data, clip, resample and normalise one micrograph.

    The image is read once, in blocks of rows, after a sample of it: a file that is memory-mapped
    never comes to lie whole in memory, and each block stays in a core's cache until it is done with.
    Where it is made far smaller, a low pass whose response is known makes fewer rows of it first; white
    noise comes out within 1e-3 of its sigma of what :func:`~cryopick_ray.micrographs.resample.fourier_resize`
    makes of it.

    Parameters
    ----------
    pixels
        ``(h, w)`` as stored in the file, any real number type and byte order.
    shape
        Height and width at the working pixel size.
    seen
        Called with the rows as they are stored, some at a time, in order, just before they are used.

    Raises
    ------
    MicrographError
        Pixels are infinite, or NaN where that is no area, the image has no contrast, or there are no data
        in nine tenths of it.
    """
    source_shape = pixels.shape[0], pixels.shape[1]
    no_data = find_no_data(pixels)
    if (share := no_data.share(source_shape)) > MOST_WITHOUT_DATA:
        raise MicrographError(
            f"the image is constant or NaN in {share:.0%} of its pixels; expected a picture"
        )
    down = planned(source_shape[0], shape[0])
    rows = block_rows(source_shape[1], down.strip if down else 1)
    resized = resize_blocks(clipped_blocks(pixels, no_data, rows, seen), source_shape, shape, down)
    return replace(_normalise_in_place(resized), no_data=no_data)


def is_decimated(source_shape: Shape, shape: Shape) -> bool:
    """Tell whether :func:`prepare` makes fewer rows of an image before it is transformed."""
    return planned(source_shape[0], shape[0]) is not None


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
    _check_contrast(lowest, highest)


def clipped_blocks(
    image: NDArray[Any],
    no_data: NoData = NO_AREAS,
    rows: int | None = None,
    seen: Callable[[NDArray[Any]], object] | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Yield blocks of ``rows`` rows, checked and clipped to the median +- 10 robust sigma.

    They are checked as by :func:`check_pixels`, and given to ``seen`` as :func:`prepare` says.
    Areas without data are filled before. Hot pixels and X-rays would ring over the whole field after a
    Fourier crop. A block without any is the file's own pixels if they are float32: not to be written to.
    """
    image = image.view(np.ndarray)  # slices of a memory map cost more
    low, high = _clip_limits(image, no_data)
    lowest, highest = math.inf, -math.inf
    fill = planned_fill(image, no_data, low, high) if no_data else None
    rows = rows or block_rows(image.shape[1])
    for start in range(0, len(image), rows):
        stored = image[start : start + rows]
        if seen is not None:
            seen(stored)
        block = np.asarray(stored, np.float32)
        if fill is not None:
            block = fill.filled(block, start)
        checked = stored if fill is None and stored.dtype.kind in "iu" else block  # integers are fewer bytes
        least, most = float(checked.min()), float(checked.max())
        if not -LARGEST <= least <= most <= LARGEST:  # NaN never is
            check_pixels(image)  # looks at all of it to say what is wrong
        lowest, highest = min(lowest, least), max(highest, most)
        yield block if low <= least and most <= high else np.clip(block, low, high)
    _check_contrast(lowest, highest)


def normalise(image: NDArray[np.float32]) -> NormalisedImage:
    """Return the image with median 0 and robust sigma (MAD x 1.4826) 1.

    Raises
    ------
    MicrographError
        The image has no contrast: what the file had was finer than the pixels here.
    """
    return _normalise_in_place(image.copy())


def _normalise_in_place(image: NDArray[np.float32]) -> NormalisedImage:
    offset, scale = _centre_and_sigma(image, SAMPLE_PIXELS)
    if scale <= max(FLAT * abs(offset), 1 / LARGEST):
        raise MicrographError("the image has no contrast left at the working pixel size")
    image -= np.float32(offset)
    image /= np.float32(scale)
    return NormalisedImage(image, offset, scale)


def _check_contrast(lowest: float, highest: float) -> None:
    if highest - lowest <= max(FLAT * max(abs(lowest), abs(highest)), 1 / LARGEST):
        raise MicrographError(f"the image is constant: all pixels are {lowest:g}")


def _clip_limits(image: NDArray[Any], no_data: NoData) -> tuple[np.float32, np.float32]:
    if no_data:
        step = math.ceil(math.sqrt(image.size / CLIP_SAMPLE_PIXELS))
        shape = image.shape[0], image.shape[1]
        empty = no_data.mask(shape, grown_px=slack_px(shape))[::step, ::step]
        image = image[::step, ::step][~empty][None]
    with np.errstate(all="ignore"):  # pixels that do not bear this are refused by those who read them all
        centre, sigma = _centre_and_sigma(image, CLIP_SAMPLE_PIXELS)
        return np.float32(centre - CLIP_SIGMAS * sigma), np.float32(centre + CLIP_SIGMAS * sigma)


def _centre_and_sigma(image: NDArray[Any], sample_pixels: int) -> tuple[float, float]:
    """Return the median and the robust sigma, or the plain one where half the pixels are equal."""
    step = math.ceil(math.sqrt(image.size / sample_pixels))
    sample = image[::step, ::step].astype(np.float32).ravel()
    centre = _middle(sample)
    sigma = SIGMAS_PER_MAD * _middle(np.abs(sample - np.float32(centre)))
    if not sigma > ROUNDING * float(sample.max() - sample.min()):  # else it is above that of the middle, too
        sample.sort()
        tail = sample.size // 20
        if sigma <= ROUNDING * float(sample[-1 - tail] - sample[tail]):
            sigma = _plain_sigma(image, centre)
    return centre, sigma


def _middle(values: NDArray[np.float32]) -> float:
    """Return the median of values, and bring them into another order."""
    half = values.size // 2
    values.partition(half)
    lower = values[:half].max() if values.size % 2 == 0 else values[half]
    return (float(lower) + float(values[half])) / 2


def _plain_sigma(image: NDArray[Any], centre: float) -> float:
    """Return the standard deviation of all pixels, summed about a value near their mean."""
    total = squares = 0.0
    for block in row_blocks(image):
        deviations = block.astype(np.float64) - centre
        total += float(deviations.sum())
        squares += float(np.vdot(deviations, deviations))
    return math.sqrt(max(0.0, squares / image.size - (total / image.size) ** 2))
