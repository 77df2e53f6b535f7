"""Rescaling of boxes by cropping their Fourier transform, as in RELION's extraction, or to any size."""

import math
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

SLACK = 1e-9
"""Of a frequency that counts as Nyquist itself."""


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


def resample(boxes: NDArray[np.float32], side_px: int, step_px: float) -> NDArray[np.float32]:
    """Return ``(n, b, b)`` boxes with a side of ``side_px`` pixels, each of them ``step_px`` of the old ones.

    The Fourier series of a box, as far as frequencies lie below the new Nyquist, is summed at the places of
    the new pixels, so that no whole number of old ones need make up the field. Grey values keep their
    scale, and the pixel ``b / 2`` becomes ``side_px / 2``.

    Parameters
    ----------
    step_px
        At least 1, and at most ``b / side_px``.
    """
    weights = _weights(boxes.shape[-1], side_px, step_px)
    return np.asarray(weights @ boxes @ weights.T)


@lru_cache(maxsize=16)
def _weights(side: int, side_px: int, step_px: float) -> NDArray[np.float32]:
    """Return ``(side_px, side)`` what each old pixel of a row is worth in each new one."""
    places = side / 2 + (np.arange(side_px) - side_px / 2) * step_px
    away = 2 * np.pi / side * (places[:, None] - np.arange(side))
    series = np.ones_like(away)
    for wave in range(1, math.ceil(side / (2 * step_px) - SLACK)):
        series += 2 * np.cos(wave * away)
    return (series / side).astype(np.float32)
