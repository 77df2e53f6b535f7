"""Spectra of images that are aligned: cropped, shifted in place, and correlated with their sum."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_ray.micrographs.movies.shift import blocks, ramp
from cryopick_ray.units import Shape


@dataclass(frozen=True, eq=False)
class Spectra:
    """Half spectra of images, or every other column of them.

    Attributes
    ----------
    values
        ``(n, h, m)`` complex64.
    down, across
        ``(h,)`` and ``(m,)`` float64: frequencies of rows and columns in cycles per pixel.
    shape
        Height and width of the images.
    """

    values: Tensor
    down: Tensor
    across: Tensor
    shape: Shape

    @classmethod
    def whole(cls, values: Tensor, shape: Shape) -> "Spectra":
        """Return spectra as ``rfft2`` makes them of images of this shape."""
        down = torch.fft.fftfreq(shape[0], device=values.device, dtype=torch.float64)
        across = torch.fft.rfftfreq(shape[1], device=values.device, dtype=torch.float64)
        return cls(values, down, across, shape)

    def __len__(self) -> int:
        return len(self.values)

    def reduced(self, side_px: int) -> tuple["Spectra", NDArray[np.float64]]:
        """Return copies below the Nyquist frequency of images of this short side at most.

        And how many pixels, in x and y, one of theirs is.
        """
        shape, shrink = self.shape, max(1, min(self.shape) / side_px)
        small = (2 * round(shape[0] / shrink / 2), 2 * round(shape[1] / shrink / 2)) if shrink > 1 else shape
        scale_x, scale_y = shape[1] / small[1], shape[0] / small[0]
        down, across = self.down * scale_y, self.across * scale_x
        rows, columns = down.abs() < 0.5, across < 0.5
        values = torch.stack([value[rows][:, columns] for value in self.values])
        return Spectra(values, down[rows], across[columns], small), np.array([scale_x, scale_y])

    def half(self, parity: int) -> "Spectra":
        """Return copies of every other column, from the first or the second on."""
        columns = slice(parity, None, 2)
        return Spectra(self.values[..., columns].contiguous(), self.down, self.across[columns], self.shape)

    def frequencies(self) -> Tensor:
        """Return how far each component lies from the origin, ``(h, m)`` float32."""
        return torch.hypot(self.down[:, None], self.across).to(torch.float32)

    def move(self, shifts_px: NDArray[np.float64]) -> None:
        """Bring what lies at each shift ``(x, y)``, of ``(n, 2)``, to ``(0, 0)``, in place."""
        for spectrum, (x, y) in zip(self.values, shifts_px, strict=True):
            across, down = ramp(self.across, x), ramp(self.down, y)[:, None]
            for rows in blocks(len(spectrum), spectrum.device):
                spectrum[rows] *= across
                spectrum[rows] *= down[rows]

    def correlations(self, total: Tensor, weights: Tensor, reach: int) -> Iterator[NDArray[np.float64]]:
        """Yield how like each image is to the sum of the others, shifted by a few pixels.

        So near the origin, two products with thin matrices cost less than an inverse transform.

        Parameters
        ----------
        total
            The sum of the spectra.
        weights
            ``(h, m)``, of the components.
        reach
            Of the largest shift in pixels.

        Yields
        ------
        ``(2 reach + 1, 2 reach + 1)``, by y and x.
        """
        offsets = torch.arange(-reach, reach + 1, device=total.device, dtype=torch.float64)
        # Each component stands for the one conjugate to it, too, where it is not that itself.
        counted = torch.where((self.across == 0) | (self.across == 0.5), 1.0, 2.0)
        across = _waves(self.across[:, None] * offsets) * counted[:, None]
        down = _waves(offsets[:, None] * self.down)
        weights = weights.to(torch.complex64)
        for spectrum in self.values:
            found = torch.zeros(len(offsets), len(offsets), dtype=torch.complex64, device=total.device)
            for rows in blocks(len(total), total.device):
                likeness = total[rows] - spectrum[rows]
                likeness.conj_physical_()
                likeness *= spectrum[rows]
                likeness *= weights[rows]
                found += down[:, rows] @ (likeness @ across)
            yield found.real.cpu().numpy().astype(np.float64)


def _waves(turns: Tensor) -> Tensor:
    angles = 2 * math.pi * turns
    return torch.polar(torch.ones_like(angles), angles).to(torch.complex64)
