"""Fourier insertion: images with poses are added up in a map's spectrum.

Images times their transfer functions, and the transfer functions squared, are added up apart: their
quotient is the map that fits the images best by least squares (Scheres 2012, J. Struct. Biol. 180:519).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cryopick_ray.particles.volume.padded_spectrum import PADDING, corners, disc, on_slices


@dataclass(eq=False)
class SliceSums:
    """What images have added to the padded spectrum of a map; see :mod:`.spectrum` for its layout.

    Attributes
    ----------
    side_px
        Of the map and the images.
    radius
        Frequencies below are taken, in steps of ``1 / side_px``.
    real, imaginary, weights
        Flattened sums of images times transfer functions, and of transfer functions squared.
    count
        Images.
    """

    side_px: int
    radius: float
    real: Tensor
    imaginary: Tensor
    weights: Tensor
    count: int = 0

    @classmethod
    def empty(cls, side_px: int, radius: float, device: torch.device | None = None) -> "SliceSums":
        """Return the sums of no images: 12 bytes x ``(2 side_px)^3 / 2``."""
        padded = PADDING * side_px
        size = padded * padded * (padded // 2 + 1)
        real, imaginary, weights = torch.zeros((3, size), device=device)
        return cls(side_px, radius, real, imaginary, weights)

    def add(self, images: Tensor, rotations: Tensor, ctfs: Tensor | None, shifts_px: Tensor) -> None:
        """Add images.

        Parameters
        ----------
        images
            ``(n, side, side)`` float32.
        rotations
            ``(n, 3, 3)``, molecule to microscope; ``(n, s, 3, 3)`` for an image in ``s`` symmetric poses.
        ctfs
            ``(n, side, side // 2 + 1)`` as ``rfft2`` lays them out; ``None`` where there is none.
        shifts_px
            ``(n, 2)`` x, y that bring the particle to pixel ``side // 2``.
        """
        places, frequencies = disc(self.side_px, self.radius, images.device)
        values = centred(images, shifts_px, places, frequencies)
        weights = torch.ones_like(values.real)
        if ctfs is not None:
            of_image = ctfs.flatten(1)[:, places]
            values, weights = values * of_image, of_image**2
        for pose in rotations.reshape(len(images), -1, 3, 3).unbind(1):
            is_mate, eight = corners(on_slices(frequencies, pose), self.side_px)
            imaginary = torch.where(is_mate, -values.imag, values.imag)
            for place, share in eight:
                at = place.flatten()
                self.real.scatter_add_(0, at, (values.real * share).flatten())
                self.imaginary.scatter_add_(0, at, (imaginary * share).flatten())
                self.weights.scatter_add_(0, at, (weights * share).flatten())
        self.count += len(images)

    def __add__(self, other: "SliceSums") -> "SliceSums":
        """Return the sums of both sets of images."""
        return SliceSums(
            self.side_px,
            self.radius,
            self.real + other.real,
            self.imaginary + other.imaginary,
            self.weights + other.weights,
            self.count + other.count,
        )

    def spectra(self) -> tuple[Tensor, Tensor]:
        """Return the sums of images and of weights as padded spectra, the plane of x = 0 completed.

        What lies beside that plane has a mate beyond it, which adds to the plane, too.
        """
        padded = PADDING * self.side_px
        shape = (padded, padded, padded // 2 + 1)
        data = torch.complex(self.real, self.imaginary).reshape(shape)
        weights = self.weights.reshape(shape).clone()
        data[:, :, 0] += _mates(data[:, :, 0]).conj()
        weights[:, :, 0] += _mates(weights[:, :, 0])
        return data, weights


def centred(images: Tensor, shifts_px: Tensor, places: Tensor, frequencies: Tensor) -> Tensor:
    """Return ``(n, m)`` values of the images' spectra, the origin at pixel ``side // 2`` less the shift."""
    side = images.shape[-1]
    spectra = torch.fft.rfft2(images).flatten(1)[:, places]
    turn = (2 * np.pi / side) * ((side // 2 - shifts_px) @ frequencies.T)
    moved: Tensor = spectra * torch.polar(torch.ones_like(turn), turn)
    return moved


def tensor(values: NDArray[np.generic], device: torch.device | None = None) -> Tensor:
    """Return an array as float32 on a device."""
    return torch.as_tensor(values, dtype=torch.float32, device=device)


def _mates(plane: Tensor) -> Tensor:
    """Return a ``(z, y)`` plane with the values of frequencies at those opposite."""
    mates: Tensor = torch.roll(plane.flip(0, 1), (1, 1), (0, 1))
    return mates
