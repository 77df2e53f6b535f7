"""Spectra of images: cropped, and shifted by fractions of a pixel."""

import math

import torch
from torch import Tensor

from cryopick_ray.units import Shape

BLOCK_ROWS = 128
"""Rows worked on at a time on a CPU: they stay in its cache."""


def half_spectrum(image: Tensor, shape: Shape) -> Tensor:
    """Return the Fourier transform of an image, cropped to one of ``shape``; the mean stays.

    The first pixel's centre stays where it was. What lies at a new Nyquist frequency is left out.

    Parameters
    ----------
    image
        ``(h, w)`` float32.
    shape
        Height and width, not above the image's.

    Returns
    -------
    ``(shape[0], shape[1] // 2 + 1)`` complex64, as ``rfft2`` with ``norm="forward"`` orders it.
    """
    if shape == tuple(image.shape):
        whole: Tensor = torch.fft.rfft2(image, norm="forward")
        return whole
    rows = torch.fft.rfft(image, dim=1, norm="forward")[:, : (shape[1] + 1) // 2].contiguous()
    return cropped(torch.fft.fft(rows, dim=0, norm="forward"), shape)


def cropped(spectrum: Tensor, shape: Shape) -> Tensor:
    """Return the low frequencies of a half spectrum, as :func:`half_spectrum` does of an image."""
    height, width = shape
    columns, upper, lower = (width + 1) // 2, (height + 1) // 2, (height - 1) // 2
    result = spectrum.new_zeros(height, width // 2 + 1)
    result[:upper, :columns] = spectrum[:upper, :columns]
    result[height - lower :, :columns] = spectrum[len(spectrum) - lower :, :columns]
    return result


def phase_ramps(shape: Shape, x_px: float, y_px: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the factors, by row and by column, that bring what lies at ``(x, y)`` of an image to ``(0, 0)``.

    Parameters
    ----------
    shape
        Height and width of the image in pixels.

    Returns
    -------
    ``(h,)`` and ``(w // 2 + 1,)`` complex64. At the Nyquist frequency, which is two components in one, they
    are real.
    """
    down = _ramp(torch.fft.fftfreq(shape[0], device=device), y_px)
    return down, _ramp(torch.fft.rfftfreq(shape[1], device=device), x_px)


def _ramp(frequency: Tensor, shift_px: float) -> Tensor:
    angle = 2 * math.pi * shift_px * frequency.to(torch.float64)
    ramp = torch.polar(torch.ones_like(angle), angle)
    nyquist = frequency.abs() == 0.5
    return torch.where(nyquist, ramp.real + 0j, ramp).to(torch.complex64)


def add_shifted(
    total: Tensor, spectrum: Tensor, ramps: tuple[Tensor, Tensor], weights: Tensor | float
) -> None:
    """Add a spectrum times its ramps and weights to ``total``, in place.

    Parameters
    ----------
    total, spectrum
        ``(h, w // 2 + 1)`` complex64.
    weights
        ``(h, w // 2 + 1)`` float32, or one number.
    """
    down, across = ramps
    step = len(total) if total.is_cuda else BLOCK_ROWS
    for start in range(0, len(total), step):
        rows = slice(start, start + step)
        part = spectrum[rows] * across
        part *= weights[rows] if isinstance(weights, Tensor) else weights
        part *= down[rows, None]
        total[rows] += part
