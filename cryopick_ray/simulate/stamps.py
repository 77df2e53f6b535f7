"""Projections onto the micrograph: enlarged, shifted by parts of a pixel, added up."""

import math

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from cryopick_ray.simulate.density import CONTRAST_V_A3_PER_KDA, box_for, density
from cryopick_ray.simulate.gaussians import gaussian_projection
from cryopick_ray.simulate.molecule import Molecule
from cryopick_ray.simulate.projection import project

LARGEST_BOX = 96
"""Side of a projected volume at most: molecules are sums of broad Gaussians, memory grows as its cube."""
BATCH = 256
"""Particles projected at a time: each batch transforms the volume once."""


def add_particles(
    image: NDArray[np.float32],
    molecule: Molecule,
    rotations: NDArray[np.float64],
    x_px: NDArray[np.float64],
    y_px: NDArray[np.float64],
    scale: NDArray[np.float64],
    pixel_size_A: float,
) -> None:
    """Add the projected potential (V A, times ``scale``) of one molecule's particles to an image.

    Parameters
    ----------
    image
        ``(h, w)``, changed in place.
    rotations, x_px, y_px, scale
        ``(n, 3, 3)`` orientations, and per particle the centre of mass and a factor.
    """
    full = box_for(molecule, pixel_size_A)
    box = min(full, LARGEST_BOX)
    voxel_A = full * pixel_size_A / box
    volume = density(molecule, voxel_A, box)
    for start in range(0, len(x_px), BATCH):
        part = slice(start, start + BATCH)
        stamps = project(volume, rotations[part]) * (voxel_A * scale[part, None, None]).astype(np.float32)
        for stamp, x, y in zip(stamps, x_px[part], y_px[part], strict=True):
            # One at a time: a stamp may be as large as the micrograph.
            _add(image, _enlarged(stamp, x % 1, y % 1, full), x, y)


def add_fragment(
    image: NDArray[np.float32],
    molecule: Molecule,
    rotation: NDArray[np.float64],
    x_px: float,
    y_px: float,
    mass_fraction: float,
    scale: float,
    pixel_size_A: float,
) -> None:
    """Add what is left of a broken particle: the part of its mass on one side of a plane.

    The plane stands upright in the turned molecule, so its direction is as random as the rotation;
    the Gaussian that it cuts keeps its shape and some of its weight. The whole molecule's centre of
    mass lies at ``x_px, y_px``.
    """
    turned = molecule.centres_A @ rotation.T.astype(np.float32)
    order = np.argsort(turned[:, 0])
    up_to = np.cumsum(molecule.weight_kDa[order], dtype=np.float64)
    weight = np.diff(np.minimum(up_to, mass_fraction * molecule.mass_kDa), prepend=0)
    weight = (weight * CONTRAST_V_A3_PER_KDA * scale).astype(np.float32)
    offset_A = np.array([x_px % 1, y_px % 1, 0], np.float32) * np.float32(pixel_size_A)
    sigma_A = np.maximum(molecule.sigma_A[order], np.float32(pixel_size_A / 2))
    box = box_for(molecule, pixel_size_A)
    _add(image, gaussian_projection(turned[order] + offset_A, sigma_A, weight, pixel_size_A, box), x_px, y_px)


def _enlarged(
    stamp: NDArray[np.float32], shift_x_px: float, shift_y_px: float, side: int
) -> NDArray[np.float32]:
    """Resample a ``(d, d)`` stamp to ``(side, side)``, both even, moved by parts of a new pixel."""
    small, half = len(stamp), len(stamp) // 2
    spectrum = scipy.fft.rfft2(stamp)
    phase_y = np.exp(-2j * np.pi * scipy.fft.fftfreq(small) * small / side * shift_y_px)
    phase_x = np.exp(-2j * np.pi * scipy.fft.rfftfreq(small) * small / side * shift_x_px)
    spectrum *= np.outer(phase_y, phase_x * side**2 / small**2).astype(np.complex64)
    padded = np.zeros((side, side // 2 + 1), np.complex64)
    # Nyquist is left out: alone it has no sign, and so cannot be moved.
    padded[:half, :half] = spectrum[:half, :half]
    padded[side - half + 1 :, :half] = spectrum[half + 1 :, :half]
    return np.asarray(scipy.fft.irfft2(padded, s=(side, side)), np.float32)


def _add(image: NDArray[np.float32], stamp: NDArray[np.float32], x_px: float, y_px: float) -> None:
    """Add a stamp whose origin, pixel ``side // 2``, lies on the whole pixel of the centre."""
    side = len(stamp)
    rows, inside_y = _overlap(math.floor(y_px) - side // 2, side, image.shape[0])
    columns, inside_x = _overlap(math.floor(x_px) - side // 2, side, image.shape[1])
    image[rows, columns] += stamp[inside_y, inside_x]


def _overlap(start: int, length: int, size: int) -> tuple[slice, slice]:
    """Return what of ``[start, start + length)`` lies in an image of ``size``, in both of their indices."""
    low, high = max(start, 0), max(min(start + length, size), max(start, 0))
    return slice(low, high), slice(low - start, high - start)
