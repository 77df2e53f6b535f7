"""Phantoms: micrographs of one made-up molecule, through a microscope's contrast transfer, with truth."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError
from cryopick_ray.units import Shape

BLOBS = 60
WAVELENGTH_A = 0.0197  # of electrons at 300 kV
SPHERICAL_ABERRATION_A = 2.7e7
AMPLITUDE_CONTRAST = 0.1


@dataclass(frozen=True)
class Phantom:
    """One micrograph and the centres of its particles.

    Attributes
    ----------
    pixels
        ``(h, w)`` float32; particles are darker than the ice.
    x_px, y_px
        ``(n,)`` centres of mass in pixels (0.0 = centre of the first pixel).
    """

    pixels: NDArray[np.float32]
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]


def make_phantom(
    seed: int,
    *,
    shape: Shape = (1024, 1024),
    pixel_size_A: float = 3.0,
    diameter_A: float = 150.0,
    particles: int = 60,
    signal_to_noise: float = 0.1,
    defocus_A: float = 20_000.0,
) -> Phantom:
    """Make one phantom; equal arguments give equal pixels.

    The molecule is a cloud of ``BLOBS`` Gaussians in a sphere of ``diameter_A``, turned at random
    for each particle, projected, multiplied by the contrast transfer function
    ``-sin(pi lambda d k^2 - pi/2 Cs lambda^3 k^4 + asin(0.1))`` in Fourier space, and laid in white
    noise. Particles do not overlap.

    Parameters
    ----------
    signal_to_noise
        Variance of a particle inside its own disc over the variance of the noise.

    Raises
    ------
    UsageError
        If so many particles do not fit.
    """
    rng = np.random.default_rng(seed)
    radius_px = diameter_A / pixel_size_A / 2
    x, y = _scatter(rng, shape, particles, 2 * radius_px)
    molecule = _molecule(np.random.default_rng(0), radius_px)
    clean = np.zeros(shape)
    for x_px, y_px in zip(x, y, strict=True):
        _add_particle(clean, molecule @ _rotation(rng).T, x_px, y_px, width_px=radius_px / 5)
    image = scipy.fft.irfft2(scipy.fft.rfft2(clean) * _transfer(shape, pixel_size_A, defocus_A), s=shape)
    inside = np.hypot(*np.meshgrid(np.arange(shape[1]) - x[0], np.arange(shape[0]) - y[0])) < radius_px
    image /= image[inside].std()
    noise = rng.normal(scale=signal_to_noise**-0.5, size=shape)
    return Phantom((image + noise).astype(np.float32), x, y)


def _scatter(
    rng: np.random.Generator, shape: Shape, particles: int, apart_px: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place particles at random, none nearer than ``apart_px`` to another, all fully inside."""
    placed: list[tuple[float, float]] = []
    edge = apart_px / 2
    for _ in range(200 * particles):
        x, y = rng.uniform(edge, shape[1] - 1 - edge), rng.uniform(edge, shape[0] - 1 - edge)
        if all((x - a) ** 2 + (y - b) ** 2 >= apart_px**2 for a, b in placed):
            placed.append((x, y))
        if len(placed) == particles:
            centres = np.array(placed)
            return centres[:, 0], centres[:, 1]
    raise UsageError(f"{particles} particles of {apart_px:.0f} px do not fit in {shape[1]} x {shape[0]} px")


def _molecule(rng: np.random.Generator, radius_px: float) -> NDArray[np.float64]:
    """Return ``(BLOBS, 3)`` blob centres (x, y, z), their centre of mass at the origin."""
    directions = rng.normal(size=(BLOBS, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    blobs = directions * radius_px * 0.75 * rng.uniform(size=(BLOBS, 1)) ** (1 / 3)
    return np.asarray(blobs - blobs.mean(axis=0))


def _rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a rotation drawn evenly: a random unit quaternion as a ``(3, 3)`` matrix."""
    w, x, y, z = (q := rng.normal(size=4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _add_particle(
    image: NDArray[np.float64], blobs: NDArray[np.float64], x_px: float, y_px: float, width_px: float
) -> None:
    """Add the projection along z of ``(n, 3)`` Gaussian blobs centred at ``(x_px, y_px)``."""
    reach = int(np.abs(blobs).max() + 4 * width_px) + 1
    top, left = max(0, int(y_px) - reach), max(0, int(x_px) - reach)
    rows = np.arange(top, min(image.shape[0], int(y_px) + reach + 2))
    columns = np.arange(left, min(image.shape[1], int(x_px) + reach + 2))
    along_x = np.exp(-((columns - x_px - blobs[:, :1]) ** 2) / (2 * width_px**2))
    along_y = np.exp(-((rows - y_px - blobs[:, 1:2]) ** 2) / (2 * width_px**2))
    image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += along_y.T @ along_x


def _transfer(shape: Shape, pixel_size_A: float, defocus_A: float) -> NDArray[np.float64]:
    """Return the contrast transfer over the half spectrum; negative at low frequency: dark particles."""
    k2 = (
        scipy.fft.fftfreq(shape[0], pixel_size_A)[:, None] ** 2
        + scipy.fft.rfftfreq(shape[1], pixel_size_A)[None, :] ** 2
    )
    phase = np.pi * WAVELENGTH_A * defocus_A * k2
    phase -= np.pi / 2 * SPHERICAL_ABERRATION_A * WAVELENGTH_A**3 * k2**2
    return np.asarray(-np.sin(phase + np.arcsin(AMPLITUDE_CONTRAST)))
