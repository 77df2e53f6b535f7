"""Fourier crop and pad: another number of pixels over the same field of view."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from cryopick_ray.micrographs.decimate import Decimation, fewer_rows
from cryopick_ray.units import Shape

BLOCK_PIXELS = 2**17  # half a megabyte of float32: stays in a core's cache from file to spectrum


def fourier_resize(image: NDArray[Any], shape: Shape) -> NDArray[np.float32]:
    """Resample an image by cropping or padding its Fourier transform.

    The first pixel's centre stays where it was, ``x_src = x W_src / W``, and the mean stays. A
    pair of components at a new Nyquist frequency becomes the one that the new pixels can hold;
    an old one is split into the pair, so that the result is the band-limited image, sampled.

    Parameters
    ----------
    image
        ``(h, w)``, any real number type.
    shape
        Height and width of the result.

    Returns
    -------
    ``(shape[0], shape[1])`` float32.
    """
    return resize_blocks(row_blocks(image), (image.shape[0], image.shape[1]), shape)


def row_blocks(image: NDArray[Any]) -> Iterator[NDArray[np.float32]]:
    """Yield an image top to bottom, some rows at a time, in float32; what is float32 is not copied."""
    rows = block_rows(image.shape[1])
    for start in range(0, image.shape[0], rows):
        yield np.asarray(image[start : start + rows], np.float32)


def block_rows(width: int, multiple: int = 1) -> int:
    """Return how many rows are read at a time, a multiple of ``multiple``."""
    return max(1, BLOCK_PIXELS // (width * multiple)) * multiple


def resize_blocks(
    blocks: Iterable[NDArray[np.float32]],
    source_shape: Shape,
    shape: Shape,
    down: Decimation | None = None,
) -> NDArray[np.float32]:
    """Resample as :func:`fourier_resize` does an image that is never whole in memory.

    Parameters
    ----------
    blocks
        The image's rows in order, ``(n, source_shape[1])`` for any ``n``.
    source_shape, shape
        Height and width of the image and of the result.
    down
        What makes fewer rows of the image's first, if anything; blocks are multiples of its factor then.
    """
    if shape == source_shape:
        return _gathered(blocks, shape)
    height, width = shape
    if down is not None:
        blocks, source_shape = fewer_rows(blocks, source_shape[1], down), (down.count, source_shape[1])
    rows = _row_spectra(blocks, source_shape, width)
    # Dividing by the number of pixels on the way there, not on the way back, keeps the mean.
    if height != source_shape[0]:
        columns = scipy.fft.fft(rows, axis=0, norm="forward", overwrite_x=True)
        if down is not None:
            waves = np.arange(-(height // 2), height // 2 + 1)
            columns[waves] /= down.response(waves, down.overhang)[:, None].astype(np.complex64)
        rows = scipy.fft.ifft(_resized_columns(columns, height), axis=0, norm="forward", overwrite_x=True)
    return np.asarray(scipy.fft.irfft(rows, n=width, axis=1, norm="forward", overwrite_x=True), np.float32)


def _gathered(blocks: Iterable[NDArray[np.float32]], shape: Shape) -> NDArray[np.float32]:
    image = np.empty(shape, np.float32)
    start = 0
    for block in blocks:
        image[start : start + len(block)] = block
        start += len(block)
    return image


def _row_spectra(
    blocks: Iterable[NDArray[np.float32]], source_shape: Shape, width: int
) -> NDArray[np.complex64]:
    """Return the ``(h, width // 2 + 1)`` half spectra of the rows, cropped or padded to ``width``."""
    source_height, source_width = source_shape
    kept = min(source_width, width)
    count = kept // 2 + 1
    spectra = np.zeros((source_height, width // 2 + 1), np.complex64)
    start = 0
    for block in blocks:
        spectra[start : start + len(block), :count] = scipy.fft.rfft(block, axis=1, norm="forward")[:, :count]
        start += len(block)
    if kept % 2 == 0 and width != source_width:
        spectra[:, kept // 2] *= np.float32(2 if width < source_width else 0.5)
    return spectra


def _resized_columns(columns: NDArray[np.complex64], height: int) -> NDArray[np.complex64]:
    """Crop or pad the full spectra of columns to ``height`` components."""
    source_height, count = columns.shape
    kept = min(source_height, height)
    resized = np.zeros((height, count), np.complex64)
    resized[: (kept + 1) // 2] = columns[: (kept + 1) // 2]
    if kept > 2:
        resized[-((kept - 1) // 2) :] = columns[-((kept - 1) // 2) :]
    if kept % 2 == 0:
        nyquist = kept // 2
        if height < source_height:
            resized[nyquist] = columns[nyquist] + columns[-nyquist]
        else:
            resized[nyquist] = resized[-nyquist] = columns[nyquist] / 2
    return resized
