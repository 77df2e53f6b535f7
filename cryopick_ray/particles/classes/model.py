"""What classification knows between two looks at the images, and how it learns from what they add up to."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import reduce

import torch

from cryopick_ray.particles.classes.components import Components, soft_disc

FUDGE = 3.0
"""How much the spectrum of signal is trusted beyond its estimate; RELION's tau2_fudge."""
EDGE_A_PER_DIAMETER = 0.06


@dataclass(frozen=True, eq=False)
class ClassSums:
    """What images add up to, given the model: enough to make the next one. Sums of parts are added.

    Attributes
    ----------
    signal
        ``(k, f)`` complex: images times their CTF, turned and shifted to their class.
    transfer
        ``(k, f)``: squared CTFs of the images in a class.
    residual
        ``(s,)`` squared differences between images and their classes, by shell.
    weight
        ``(k,)`` images in a class.
    offset_A2
        Sum of squared shifts, x and y.
    """

    signal: torch.Tensor
    transfer: torch.Tensor
    residual: torch.Tensor
    weight: torch.Tensor
    offset_A2: torch.Tensor

    def __add__(self, other: "ClassSums") -> "ClassSums":
        """Return the sums of both."""
        return ClassSums(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


def total(parts: Iterable[ClassSums]) -> ClassSums:
    """Return the sum of parts, in their order: equal parts give equal sums."""
    return reduce(ClassSums.__add__, parts)


@dataclass(frozen=True, eq=False)
class ClassModel:
    """Classes and what else decides how likely an image is.

    Attributes
    ----------
    pictures
        ``(k, side, side)`` float32 averages, background 0, masked.
    noise
        ``(s,)`` variance of a component's noise by shell, of unitary transforms.
    offset_sigma_A
        Standard deviation of shifts along x or y.
    radius
        Frequency in cycles a box up to which images are compared.
    """

    pictures: torch.Tensor
    noise: torch.Tensor
    offset_sigma_A: float
    radius: float

    def to(self, device: torch.device) -> "ClassModel":
        """Return the model where it is to work."""
        return replace(self, pictures=self.pictures.to(device), noise=self.noise.to(device))


def averages(
    sums: ClassSums, components: Components, noise: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``(k, f)`` components of regularised class averages, and their ``(k, s)`` signal to noise.

    The maximum a posteriori of Scheres 2012 (J. Mol. Biol. 415:406): images weighted by their CTF over
    squared CTFs plus noise over signal. The signal's spectrum is estimated from the sums themselves: the
    power of unregularised averages less that of their noise, the mean over all images. A class's own would
    be too weak to tell in one of few images: held down, it would lose these to the largest.
    """
    shell = components.shell
    floor = 1e-3 * sums.weight.clamp(min=1e-3)[:, None]
    plain = sums.signal / torch.maximum(sums.transfer, floor)
    sizes = components.sizes.clamp(min=1)
    power = components.by_shell(plain.abs() ** 2) / sizes
    own_noise = noise * components.by_shell(1 / torch.maximum(sums.transfer, floor)) / sizes
    excess = power - own_noise
    snr = FUDGE * excess.clamp(min=0) / own_noise.clamp(min=1e-12)
    weight = sums.weight[:, None]
    signal = ((weight * excess).sum(dim=0) / weight.sum().clamp(min=1e-3)).clamp(min=0)
    prior = noise / (FUDGE * signal).clamp(min=1e-12)
    made = sums.signal / (sums.transfer + prior[shell])
    return made, snr


def picture_of(
    values: torch.Tensor, components: Components, side_px: int, diameter_px: float
) -> torch.Tensor:
    """Return ``(k, side_px, side_px)`` pictures of components: background 0, masked, masses in the middle."""
    pictures = components.images(values, side_px)
    scale = side_px / components.box_px
    mask = torch.from_numpy(
        soft_disc(side_px, diameter_px * scale / 2, max(2.0, EDGE_A_PER_DIAMETER * diameter_px * scale))
    )
    outside = (mask < 0.5).to(pictures.dtype)
    if outside.sum() > 0:
        level = (pictures * outside).sum(dim=(1, 2)) / outside.sum()
        pictures = pictures - level[:, None, None]
    return pictures * mask


def new_noise(sums: ClassSums, components: Components, images: float) -> torch.Tensor:
    """Return ``(s,)`` the noise's variance by shell, shell 0 that of the first."""
    noise = (sums.residual / (components.sizes.clamp(min=1) * images)).clamp(min=1e-6)
    noise[0] = noise[1]
    return noise.to(torch.float32)
