"""A molecule, or a map of any voxel size, as a map of the box and the pixels of particles."""

import math
from pathlib import Path

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError
from cryopick_ray.particles.volume.fsc import Map
from cryopick_ray.simulate.density import density
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.map_file import read_map_values


def reference_map(where: str, box_px: int, pixel_size_A: float) -> Map:
    """Return a reference, matter positive, its middle at voxel ``box_px // 2``.

    Parameters
    ----------
    where
        An MRC map, whose middle is that of its voxels, or a molecule of ``cryopick simulate``: its name or a
        file of coordinates.

    Raises
    ------
    UsageError
        There is none, or it cannot be read.
    """
    if Path(where).suffix.lower() in (".mrc", ".map", ".ccp4"):
        values, sides_A = read_map_values(Path(where))
        if not np.isfinite(values).all() or values.min() == values.max():
            raise UsageError(
                f"`reference` {where} has values that are no numbers, or one alone: expected a map"
            )
        return resampled(values, sides_A, box_px, pixel_size_A)
    return density(load_molecule(where), pixel_size_A, box_px)


def resampled(values: Map, sides_A: NDArray[np.float64], box_px: int, pixel_size_A: float) -> Map:
    """Return a map in a box of other pixels: cropped in Fourier space by whole factors, then interpolated.

    Parameters
    ----------
    values, sides_A
        ``(z, y, x)`` and the sides of its voxels along them.
    """
    shape = np.array(values.shape)
    coarser = np.maximum(1, np.floor(pixel_size_A / sides_A))
    small = [2 * math.ceil(side / factor / 2) for side, factor in zip(shape, coarser, strict=True)]
    cropped = _fourier_cropped(values, small)
    voxel_A = sides_A * shape / small
    scale = pixel_size_A / voxel_A
    offset = np.array(small) // 2 - scale * (box_px // 2)
    # what is left beyond the new Nyquist frequency would fold back
    smooth = scipy.ndimage.gaussian_filter(cropped, np.sqrt(np.maximum(scale**2 - 1, 0)) / 2)
    made = scipy.ndimage.affine_transform(smooth, scale, offset, (box_px,) * 3, order=3, mode="constant")
    return np.asarray(made, np.float32)


def _fourier_cropped(values: Map, shape: list[int]) -> Map:
    """Return a map of fewer voxels and the same field, its middle voxel where it was."""
    if tuple(shape) == values.shape:
        return values
    spectrum = scipy.fft.fftshift(scipy.fft.fftn(scipy.fft.ifftshift(values)))
    first = [side // 2 - new // 2 for side, new in zip(values.shape, shape, strict=True)]
    kept = spectrum[tuple(slice(a, a + new) for a, new in zip(first, shape, strict=True))]
    made = scipy.fft.fftshift(scipy.fft.ifftn(scipy.fft.ifftshift(kept))).real
    return np.asarray(made * (kept.size / values.size), np.float32)
