"""Movies of known motion: a weak phase object that drifts while a camera counts."""

from pathlib import Path

import mrcfile
import numpy as np
import scipy.fft
import scipy.ndimage
import tifffile

from cryopick_ray.simulate.optics import Defocus, Microscope, apply_transfer, transfer
from cryopick_ray.units import Optics

PIXEL_SIZE_A = 1.5
MARGIN_PX = 64


def specimen(side: int, seed: int = 0, contrast: float = 1.0) -> np.ndarray:
    """Return the intensity of round particles in structured ice, ``MARGIN_PX`` larger at each border."""
    rng = np.random.default_rng(seed)
    whole = side + 2 * MARGIN_PX
    phase = np.zeros((whole, whole), np.float32)
    rows, columns = rng.integers(0, whole, (2, whole * whole // 6000))
    np.add.at(phase, (rows, columns), 1)
    shell = scipy.ndimage.gaussian_filter(phase, 14) - 0.5 * scipy.ndimage.gaussian_filter(phase, 8)
    fine = scipy.ndimage.gaussian_filter(rng.standard_normal(phase.shape).astype(np.float32), 1.2)
    phase = contrast * (0.25 * shell / shell.std() * 0.3 + 0.05 * fine / fine.std())
    microscope = Microscope(Optics(), Defocus(15000, 14500), PIXEL_SIZE_A, b_factor_A2=60)
    return apply_transfer(phase.astype(np.float32), transfer(microscope, phase.shape))


def drifting(intensity: np.ndarray, shifts_px: np.ndarray, electrons: float, seed: int = 1, gain=None):
    """Return counts: what lies at ``p`` at rest lies at ``p + shift`` in a frame; ``gain`` of the pixels."""
    rng = np.random.default_rng(seed)
    inside = slice(MARGIN_PX, -MARGIN_PX)
    spectrum = scipy.fft.rfft2(intensity)
    k_y, k_x = scipy.fft.fftfreq(len(intensity))[:, None], scipy.fft.rfftfreq(intensity.shape[1])
    frames = []
    for x, y in shifts_px:
        moved = scipy.fft.irfft2(spectrum * np.exp(-2j * np.pi * (k_x * x + k_y * y)), s=intensity.shape)
        expected = np.maximum(moved[inside, inside], 0) * electrons
        frames.append(rng.poisson(expected if gain is None else expected / gain))
    return np.stack(frames).astype(np.uint8)


def path_of_drift(count: int, length_px: float, seed: int = 2) -> np.ndarray:
    """Return a path that is fast at first and then wanders, ``(n, 2)``, of mean 0 and about this length."""
    rng = np.random.default_rng(seed)
    time = np.arange(count) / max(count - 1, 1)
    early = 1 - np.exp(-4 * time)
    angle = rng.uniform(0, 2 * np.pi)
    path = np.stack([early * np.cos(angle), early * np.sin(angle)], 1)
    path += 0.15 * np.sin(2 * np.pi * time[:, None] * rng.uniform(0.5, 1.2, 2))
    path *= length_px
    return path - path.mean(0)


def write_mrc(path: Path, frames: np.ndarray, pixel_size_A: float = PIXEL_SIZE_A) -> Path:
    with mrcfile.new(path, overwrite=True) as mrc:
        mrc.set_data(frames)
        mrc.set_image_stack() if frames.ndim == 3 else None
        mrc.voxel_size = pixel_size_A
    return path


def write_tiff(path: Path, frames: np.ndarray, compression: str | None = "lzw") -> Path:
    """Write frames as motion correction programs read them back: last row first."""
    tifffile.imwrite(path, frames[..., ::-1, :], compression=compression, photometric="minisblack")
    return path


def rms_px(found: np.ndarray, true: np.ndarray) -> float:
    """Return the root mean square distance of two paths, a common offset apart."""
    difference = (found - found.mean(0)) - (true - true.mean(0))
    return float(np.sqrt((difference**2).sum(1).mean()))
