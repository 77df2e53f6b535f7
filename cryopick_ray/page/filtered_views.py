"""Filtered views of a micrograph, for eyes only: nothing is picked or measured on them."""

import math
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Look = Literal["plain", "band", "denoised"]
LOOKS: tuple[Look, ...] = get_args(Look)
PARTICLE_PX = 32
"""Pixels of a particle's diameter that a filtered view has at least: finer ones show no more of it."""
LONGEST_PX = 2048
NOISE_FROM = 0.7
"""Part of the Nyquist frequency from which on a micrograph is taken to be noise alone."""
RINGS = 256


def filtered(image: NDArray[np.floating], look: Look, diameter_px: float) -> NDArray[np.float32]:
    """Return a view of an ``(h, w)`` image of a particle of so many pixels.

    ``band`` is a band-pass about the particle, from twice its diameter to a quarter of it, with soft edges.
    ``denoised`` is a Wiener filter: each ring of frequencies keeps the part of its power that stands out of
    the noise, whose power is that at the highest frequencies.
    """
    import scipy.fft

    spectrum = np.asarray(scipy.fft.rfft2(image.astype(np.float32)), np.complex64)
    height, width = image.shape
    y = scipy.fft.fftfreq(height).astype(np.float32)[:, None]
    x = scipy.fft.rfftfreq(width).astype(np.float32)[None]
    frequency = np.hypot(y, x)
    gain = _band(frequency, diameter_px) if look == "band" else _wiener(spectrum, frequency)
    return np.asarray(scipy.fft.irfft2(spectrum * gain, s=image.shape), np.float32)


def binning_for(shape: tuple[int, int], diameter_px: float) -> int:
    """Return how often an image is halved before it is filtered."""
    for_particle = math.floor(math.log2(max(1.0, diameter_px / PARTICLE_PX)))
    for_size = math.ceil(math.log2(max(1.0, max(shape) / LONGEST_PX)))
    return max(for_particle, for_size)


def _band(frequency: NDArray[np.float32], diameter_px: float) -> NDArray[np.float32]:
    """Return a difference of two Gaussians of the frequency."""
    low, high = 1 / (2 * diameter_px), 2 / diameter_px
    squared = frequency**2
    band = np.exp(-squared / (2 * high**2)) * (1 - np.exp(-squared / (2 * low**2)))
    return np.asarray(band, np.float32)


def _wiener(spectrum: NDArray[np.complex64], frequency: NDArray[np.float32]) -> NDArray[np.float32]:
    ring = np.minimum((frequency * (2 * RINGS)).astype(np.intp), RINGS - 1).ravel()
    power = np.bincount(ring, (spectrum.real**2 + spectrum.imag**2).ravel(), RINGS)
    mean = power / np.maximum(np.bincount(ring, minlength=RINGS), 1)
    noise = float(np.median(mean[int(NOISE_FROM * RINGS) :]))
    kept = np.clip(1 - noise / np.maximum(mean, np.finfo(np.float64).tiny), 0, 1)
    kept[0] = 1  # the mean
    return np.asarray(kept[ring].reshape(frequency.shape), np.float32)
