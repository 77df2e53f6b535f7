"""The Fourier components of images that classification uses, packed into rows."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray


@dataclass(frozen=True)
class Components:
    """Components of square images from low to high frequency, of each pair ``k, -k`` one, without the mean.

    Transforms are unitary and seen from pixel ``box_px // 2``, so noise of variance 1 a pixel has variance 1
    a component, and a centred particle has smooth phases.

    Attributes
    ----------
    box_px
        Side of the images, even.
    radius
        Highest frequency in cycles a box, below ``box_px / 2``.
    """

    box_px: int
    radius: int

    def __len__(self) -> int:
        """Return the number of components."""
        return len(self.k)

    @cached_property
    def k(self) -> torch.Tensor:
        """``(f, 2)`` int64 frequencies along x and y in cycles a box, sorted by length."""
        x, y = np.meshgrid(np.arange(self.radius + 1), np.arange(-self.radius, self.radius + 1))
        k = np.stack([x.ravel(), y.ravel()], axis=1)
        square = (k**2).sum(axis=1)
        half = (k[:, 0] > 0) | ((k[:, 0] == 0) & (k[:, 1] > 0))
        k, square = k[half & (square <= self.radius**2)], square[half & (square <= self.radius**2)]
        return torch.from_numpy(k[np.lexsort((k[:, 1], k[:, 0], square))])

    @cached_property
    def shell(self) -> torch.Tensor:
        """``(f,)`` int64 frequencies rounded to whole cycles a box, 1 to ``radius``."""
        return torch.sqrt((self.k**2).sum(dim=1).to(torch.float64)).round().to(torch.int64)

    @cached_property
    def sizes(self) -> torch.Tensor:
        """``(radius + 1,)`` float32 components of each shell, the empty shell 0 included."""
        return torch.bincount(self.shell, minlength=self.radius + 1).to(torch.float32)

    def count(self, radius: float) -> int:
        """Return how many components, the first ones, have a frequency of at most ``radius``."""
        return int(((self.k**2).sum(dim=1) <= radius**2).sum())

    def of_spectra(self, spectra: torch.Tensor) -> torch.Tensor:
        """Return ``(n, f)`` out of ``(n, box_px, box_px // 2 + 1)`` in the layout of ``rfft2``."""
        return spectra[:, self.k[:, 1] % self.box_px, self.k[:, 0]]

    def of_images(self, images: torch.Tensor) -> torch.Tensor:
        """Return the ``(n, f)`` complex components of ``(n, box_px, box_px)`` images."""
        centred = torch.fft.ifftshift(images, dim=(-2, -1))
        return self.of_spectra(torch.fft.rfft2(centred, norm="ortho"))

    def images(self, values: torch.Tensor, box_px: int | None = None) -> torch.Tensor:
        """Return ``(n, box_px, box_px)`` images of ``(n, f)`` components, of another box if asked.

        Grey values stay what they are: the box is sampled more or less finely.
        """
        side = box_px or self.box_px
        spectra = values.new_zeros((len(values), side, side // 2 + 1))
        spectra[:, self.k[:, 1] % side, self.k[:, 0]] = values * (side / self.box_px)
        axis = self.k[:, 0] == 0  # irfft2 does not make the other half of this column
        mirrored = (-self.k[axis, 1]) % side
        spectra[:, mirrored, 0] = values[:, axis].conj() * (side / self.box_px)
        made: torch.Tensor = torch.fft.fftshift(
            torch.fft.irfft2(spectra, s=(side, side), norm="ortho"), dim=(-2, -1)
        )
        return made

    def shifts(self, xy_px: torch.Tensor) -> torch.Tensor:
        """Return the ``(..., f)`` factors that move an image by ``(..., 2)`` pixels of ``box_px``."""
        angle = -2 * math.pi / self.box_px * (xy_px.to(torch.float32) @ self.k.to(xy_px).to(torch.float32).T)
        return torch.polar(torch.ones_like(angle), angle)

    def by_shell(self, values: torch.Tensor) -> torch.Tensor:
        """Return ``(..., radius + 1)`` sums of real ``(..., f)`` values over shells."""
        sums = values.new_zeros((*values.shape[:-1], self.radius + 1))
        return sums.index_add_(-1, self.shell.to(values.device), values)


def soft_disc(box_px: int, radius_px: float, edge_px: float) -> NDArray[np.float32]:
    """Return ``(box_px, box_px)`` 1 to ``radius_px`` from the middle, 0 beyond a cosine edge."""
    y, x = np.indices((box_px, box_px)) - box_px // 2
    beyond = np.clip((np.hypot(x, y) - radius_px) / edge_px, 0, 1)
    return ((1 + np.cos(np.pi * beyond)) / 2).astype(np.float32)
