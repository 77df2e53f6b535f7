"""Boxes made smaller by a crop of their Fourier transform, as RELION's extraction does it."""

import numpy as np
import scipy.fft
from numpy.typing import NDArray


def rescale(boxes: NDArray[np.float32], side_px: int) -> NDArray[np.float32]:
    """Return ``(n, b, b)`` boxes with an even side of ``side_px`` pixels, at most ``b``, and the same field.

    Frequencies to the new Nyquist stay; of the two rows at it the positive one does, as in RELION. Grey
    values keep their scale, and the pixel ``b / 2`` becomes ``side_px / 2``.
    """
    if side_px == boxes.shape[-1]:
        return boxes
    half = side_px // 2
    spectra = scipy.fft.rfft2(boxes, norm="forward")
    rows = np.r_[0 : half + 1, 1 - half : 0]
    kept = spectra[:, rows, : half + 1]
    return np.asarray(scipy.fft.irfft2(kept, s=(side_px, side_px), norm="forward"))
