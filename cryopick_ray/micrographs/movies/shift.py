"""Spectra of images: cropped, shifted by fractions of a pixel, and added up."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from cryopick_ray.units import Shape

BLOCK_ROWS = 64
"""Rows of an image worked on at a time on a CPU: they stay in its cache."""
BLOCK_COLUMNS = 16
"""Columns of a spectrum, likewise."""


class ShiftedSum:
    """The sum of frames, each shifted and weighted at every frequency.

    It is kept as its Fourier transform, column by column, so that a column of a frame's spectrum is
    transformed, shifted, weighted and added while it is in the cache.

    Parameters
    ----------
    frame_shape
        Height and width of each frame.
    shape
        Of the sum: it holds the low frequencies of the frames. What lies at a new Nyquist frequency is left
        out; the first pixel's centre stays where it was.
    weights
        ``(h, w // 2 + 1)`` of the first frame, in the layout of ``rfft2``, or one number.
    decay
        What each next frame's weights are smaller by, likewise; ``None`` if they are not.
    """

    def __init__(
        self,
        frame_shape: Shape,
        shape: Shape,
        weights: Tensor | float,
        decay: Tensor | None,
        device: torch.device,
    ) -> None:
        self.shape = shape
        width = shape[1] // 2 + 1
        self._columns = width if shape[1] == frame_shape[1] else (shape[1] + 1) // 2
        self._rows = torch.empty(self._columns, frame_shape[0], dtype=torch.complex64, device=device)
        self._total = torch.zeros(width, shape[0], dtype=torch.complex64, device=device)
        self._weights = weights.T.contiguous() if isinstance(weights, Tensor) else weights
        self._decay = None if decay is None else decay.T.contiguous()

    def add(self, frame: Iterator[tuple[slice, Tensor]], x_px: float, y_px: float) -> None:
        """Add a frame, given some rows at a time, so that what lies at ``(x, y)`` comes to ``(0, 0)``."""
        for rows, image in frame:
            across = torch.fft.rfft(image, dim=1, norm="forward")
            self._rows[:, rows] = across[:, : self._columns].T
        down, across = phase_ramps(self.shape, x_px, y_px, self._total.device)
        for columns in blocks(self._columns, self._total.device, size=BLOCK_COLUMNS):
            part = torch.fft.fft(self._rows[columns], dim=1, norm="forward")
            if part.shape[1] != self.shape[0]:
                part = _low(part, self.shape[0])
            part *= across[columns, None]
            part *= down
            part *= self._weights[columns] if isinstance(self._weights, Tensor) else self._weights
            self._total[columns] += part
            if self._decay is not None and isinstance(self._weights, Tensor):
                self._weights[columns] *= self._decay[columns]

    def image(self) -> Tensor:
        """Return the sum, ``(h, w)`` float32; it cannot be added to any more."""
        device = self._total.device
        for columns in blocks(len(self._total), device, size=BLOCK_COLUMNS):
            self._total[columns] = torch.fft.ifft(self._total[columns], dim=1, norm="forward")
        image = torch.empty(self.shape, device=device)
        for rows in blocks(self.shape[0], device):
            image[rows] = torch.fft.irfft(self._total[:, rows].T, self.shape[1], dim=1, norm="forward")
        return image


def blocks(count: int, device: torch.device, multiple: int = 1, size: int = BLOCK_ROWS) -> Iterator[slice]:
    """Yield slices of about ``size`` of ``count`` rows, a multiple each but for the last; on a GPU, all."""
    step = count if device.type == "cuda" else max(1, size // multiple) * multiple
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


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
    down, across = torch.fft.fftfreq(shape[0], device=device), torch.fft.rfftfreq(shape[1], device=device)
    return ramp(down, y_px), ramp(across, x_px)


def ramp(frequency: Tensor, shift_px: float) -> Tensor:
    """Return the factors of one axis, complex64, at frequencies in cycles per pixel."""
    angle = 2 * math.pi * shift_px * frequency.to(torch.float64)
    ramp = torch.polar(torch.ones_like(angle), angle)
    nyquist = frequency.abs() == 0.5
    return torch.where(nyquist, ramp.real + 0j, ramp).to(torch.complex64)


def _low(lines: Tensor, length: int) -> Tensor:
    """Return the low frequencies of transformed lines, ``(n, length)``, the new Nyquist frequency 0."""
    upper, lower = (length + 1) // 2, (length - 1) // 2
    result = lines.new_zeros(len(lines), length)
    result[:, :upper] = lines[:, :upper]
    result[:, length - lower :] = lines[:, lines.shape[1] - lower :]
    return result
