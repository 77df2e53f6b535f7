"""From sums in Fourier space to a map: samples lie densely here and thinly there, which is made good."""

import math

import torch
from torch import Tensor

from cryopick_ray.particles.volume.insertion import SliceSums
from cryopick_ray.particles.volume.padded_spectrum import PADDING, interpolated, map_of

ITERATIONS = 10
FLOOR = 1e-3
"""Of a shell's mean weight: frequencies that are seen less are not divided by less."""
BLOB_PX, BLOB_ALPHA = 1.9 * PADDING, 15.0
"""Radius, in steps of the padded spectrum, and shape of the Kaiser-Bessel blob that evens densities out."""
EDGE_PX = 3.0
"""The map fades to 0 outside its inscribed sphere."""


def solve(sums: SliceSums) -> Tensor:
    """Return the ``(side, side, side)`` map that sums are of.

    The sums are multiplied by a density such that the weights times it, blurred by a blob, are 1 all over
    (Pipe & Menon 1999, Magn. Reson. Med. 41:179; Scheres 2012, J. Struct. Biol. 180:519), and what linear
    interpolation does to the map is divided out.
    """
    data, weights = sums.spectra()
    data *= _density(weights, sums.radius)
    volume = map_of(data) / interpolated(sums.side_px, data.device)
    return volume * sphere(sums.side_px, sums.side_px / 2, EDGE_PX, data.device)


def _density(weights: Tensor, radius: float) -> Tensor:
    padded = weights.shape[0]
    distance = radii(padded, weights.device)
    inside = distance < PADDING * radius
    shell = distance.round().long()
    weights = torch.where(inside, torch.maximum(weights, FLOOR * _means(weights, shell)[shell]), 0)
    del distance, shell
    density, blob = inside.float(), _blob(padded, weights.device)
    for _ in range(ITERATIONS):
        spectrum = torch.complex(density * weights, torch.zeros_like(weights))
        spread = torch.fft.irfftn(spectrum, s=(padded,) * 3).mul_(blob)
        density = torch.where(inside, density / torch.fft.rfftn(spread).real.abs().clamp(min=1e-6), 0)
    return density


def _means(values: Tensor, shell: Tensor) -> Tensor:
    """Return the mean of values in each shell."""
    none = values.new_zeros(int(shell.max()) + 1)
    counts = none.scatter_add(0, shell.flatten(), torch.ones_like(values).flatten())
    return none.scatter_add(0, shell.flatten(), values.flatten()) / counts


def _blob(padded: int, device: torch.device) -> Tensor:
    """Return the transform of the blob, 1 at the origin, on a cube of ``padded`` voxels, origin first.

    Of order 0 in three dimensions (Lewitt 1990, J. Opt. Soc. Am. A 7:1834, eq. A3): the Bessel function of
    order 3/2 over its argument to that power, written out.
    """
    steps = torch.fft.fftfreq(padded, 1 / padded, device=device).round().long() ** 2
    squared = torch.arange(3 * int(steps.max()) + 1, device=device, dtype=torch.float64) / padded**2
    s = torch.sqrt((BLOB_ALPHA**2 - (2 * torch.pi * BLOB_PX) ** 2 * squared).clamp(min=1e-6))
    peak = (math.cosh(BLOB_ALPHA) - math.sinh(BLOB_ALPHA) / BLOB_ALPHA) / BLOB_ALPHA**2
    by_square = ((torch.cosh(s) - torch.sinh(s) / s) / s**2 / peak).float()
    blob = torch.empty((padded,) * 3, device=device)
    for plane, square in zip(blob, steps, strict=True):
        plane[:] = by_square[square + steps[:, None] + steps]
    return blob


def radii(side: int, device: torch.device | None = None) -> Tensor:
    """Return the distance from zero frequency in a cube's half spectrum, in steps."""
    along = torch.fft.fftfreq(side, 1 / side, device=device)
    half = torch.arange(side // 2 + 1, device=device)
    return torch.sqrt(along[:, None, None] ** 2 + along[:, None] ** 2 + half**2)


def sphere(side: int, radius_px: float, edge_px: float, device: torch.device | None = None) -> Tensor:
    """Return a cube that is 1 within a radius of voxel ``side // 2`` and falls to 0 as a cosine."""
    along = torch.arange(side, device=device) - side // 2
    distance = torch.sqrt((along[:, None, None] ** 2 + along[:, None] ** 2 + along**2).float())
    part = ((distance - radius_px) / edge_px).clamp(0, 1)
    return 0.5 + 0.5 * torch.cos(torch.pi * part)
