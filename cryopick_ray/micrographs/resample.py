"""Fourier crop and pad: another number of pixels over the same field of view."""

from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from cryopick_ray.units import Shape

BLOCK_PIXELS = 2**20  # rows are transformed in blocks, so that no full-size spectrum exists


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
    height, width = shape
    rows = _row_spectra(image, width)
    rows *= np.float32(height * width / image.size)
    if height != image.shape[0]:
        columns = scipy.fft.fft(rows, axis=0, overwrite_x=True)
        rows = scipy.fft.ifft(_resized_columns(columns, height), axis=0, overwrite_x=True)
    return np.asarray(scipy.fft.irfft(rows, n=width, axis=1, overwrite_x=True), np.float32)


def _row_spectra(image: NDArray[Any], width: int) -> NDArray[np.complex64]:
    """Return the ``(h, width // 2 + 1)`` half spectra of the rows, cropped or padded to ``width``."""
    source_height, source_width = image.shape
    kept = min(source_width, width)
    spectra = np.zeros((source_height, width // 2 + 1), np.complex64)
    block = max(1, BLOCK_PIXELS // source_width)
    for start in range(0, source_height, block):
        rows = np.asarray(image[start : start + block], np.float32)
        spectra[start : start + block, : kept // 2 + 1] = scipy.fft.rfft(rows, axis=1)[:, : kept // 2 + 1]
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
