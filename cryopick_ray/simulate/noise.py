"""Noise of the specimen and the beam: structure of the ice, its thickness, slow changes of brightness."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError
from cryopick_ray.units import Shape, is_positive

SLOWEST_A = 500.0
"""The power law of the ice stops at this period: slower changes belong to its thickness."""
MODES = 4


@dataclass(frozen=True)
class IceStructure:
    """Power spectrum of the phase shift of amorphous ice and its solutes.

    ``W(k) = level (1 + (k knee)^-slope)`` in rad2 A2: a white part (ice is disordered beyond the
    3.7 A ring of water, and moves under the beam) plus a power law below ``1 / knee`` (buffer,
    denatured protein, uneven surfaces). It passes through the microscope like any specimen. The
    defaults are fitted to the micrographs of apoferritin in EMPIAR-10146.

    Attributes
    ----------
    level_rad2_A2
        Of the white part. Independent water molecules, 0.095 rad A2 each at 300 kV, in 300 A of ice
        would give 0.08; their correlation in the liquid makes it several times smaller.
    knee_A
        Period at which the power law overtakes the white part.
    slope
        Exponent of the power law.
    """

    level_rad2_A2: float = 0.006
    knee_A: float = 150.0
    slope: float = 2.0

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if not (0 <= self.level_rad2_A2 <= 10 and 1 <= self.knee_A <= 1e4 and 0 <= self.slope <= 6):
            raise UsageError(
                f"ice noise of {self.level_rad2_A2:g} rad2 A2, knee {self.knee_A:g} A, slope {self.slope:g}: "
                "expected 0 to 10, 1 to 10000 and 0 to 6 (`ice.noise_rad2_A2`)"
            )


def ice_power(ice: IceStructure, shape: Shape, pixel_size_A: float) -> NDArray[np.float32]:
    """Return the ice's power for :func:`coloured_noise`: ``(h, w // 2 + 1)`` float32 in rad2; 0 at zero."""
    k_y = scipy.fft.fftfreq(shape[0], pixel_size_A).astype(np.float32)[:, None]
    k_x = scipy.fft.rfftfreq(shape[1], pixel_size_A).astype(np.float32)
    power = k_y**2 + k_x**2
    np.maximum(power, np.float32(SLOWEST_A**-2), out=power)
    power *= np.float32(ice.knee_A**2)
    np.power(power, np.float32(-ice.slope / 2), out=power)
    power += np.float32(1)
    power *= np.float32(ice.level_rad2_A2 / pixel_size_A**2)
    power[0, 0] = 0
    return power


def coloured_noise(rng: np.random.Generator, shape: Shape, power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Draw normal noise of a given power spectrum; it is periodic over the image.

    Parameters
    ----------
    power
        ``(h, w // 2 + 1)`` in the layout of ``rfft2`` and the units of
        :func:`cryopick_ray.simulate.spectrum.radial_power`: the variance per pixel of white noise that
        has this power everywhere.

    Returns
    -------
    ``(h, w)`` float32; its expected variance is the mean of ``power`` over the full plane.
    """
    if power.shape != (shape[0], shape[1] // 2 + 1):
        raise UsageError(
            f"a power spectrum of {power.shape} for an image of {shape}: expected "
            f"{(shape[0], shape[1] // 2 + 1)}"
        )
    pairs = rng.standard_normal((*power.shape, 2), np.float32)
    spectrum: NDArray[np.complex64] = pairs.view(np.complex64)[..., 0]
    scale = np.sqrt(power)
    scale *= np.float32(np.sqrt(shape[0] * shape[1] / 2))
    spectrum *= scale
    # Of the columns without a partner the inverse transform keeps the real part alone: half the power.
    for column in [0] if shape[1] % 2 else [0, -1]:
        spectrum[:, column] *= np.float32(np.sqrt(2))
    return np.asarray(scipy.fft.irfft2(spectrum, s=shape, overwrite_x=True))


def slow_variation(rng: np.random.Generator, shape: Shape, rms: float) -> NDArray[np.float32]:
    """Draw a smooth map of mean 0 and exactly the standard deviation ``rms``.

    A sum of the lowest ``MODES x MODES`` cosines of the image (period at least ``2 / 3`` of a side),
    their amplitudes falling with the square of the frequency. Multiply by ``1 + map`` for uneven
    illumination, or by a thickness for uneven ice (:func:`ice_thickness`).

    Returns
    -------
    ``(h, w)`` float32.
    """
    if not 0 <= rms <= 1:
        raise UsageError(f"a slow variation of {rms:g}: expected a standard deviation from 0 to 1")
    orders = np.arange(MODES)
    weights = rng.standard_normal((MODES, MODES)) / np.maximum(orders[:, None] ** 2 + orders**2, 1)
    weights[0, 0] = 0
    weights *= rms / np.sqrt((weights**2).sum())
    down, across = (
        np.where(orders > 0, np.sqrt(2), 1) * np.cos(np.pi * np.outer(np.arange(side) + 0.5, orders) / side)
        for side in shape
    )
    return np.asarray((down @ weights).astype(np.float32) @ across.astype(np.float32).T)


def ice_thickness(
    rng: np.random.Generator, shape: Shape, thickness_A: float, variation: float
) -> NDArray[np.float32]:
    """Draw a map of ice thickness: mean ``thickness_A``, relative standard deviation ``variation``.

    Returns
    -------
    ``(h, w)`` float32 angstroms, nowhere below 0.

    Raises
    ------
    UsageError
        If the thickness is not positive or the variation is not within 0 and 1.
    """
    if not is_positive(thickness_A):
        raise UsageError(f"ice of {thickness_A:g} A: expected a thickness above 0 (`ice.thickness_A`)")
    thickness = slow_variation(rng, shape, variation)
    thickness += np.float32(1)
    thickness *= np.float32(thickness_A)
    return np.maximum(thickness, 0, out=thickness)


def ice_transmission(thickness_A: NDArray[np.float32], mean_free_path_A: float) -> NDArray[np.float32]:
    """Return the part of the beam that reaches the detector through ice: ``exp(-t / mean free path)``.

    Electrons scattered out of the aperture or stopped by the energy filter are lost; at 300 kV the
    apparent mean free path is 3000 to 4000 A (Rice et al. 2018, J. Struct. Biol. 204:38).

    Parameters
    ----------
    thickness_A
        ``(h, w)``.
    """
    if not is_positive(mean_free_path_A):
        raise UsageError(f"a mean free path of {mean_free_path_A:g} A: expected one above 0")
    return np.asarray(np.exp(thickness_A * np.float32(-1 / mean_free_path_A)))


def scale_for_snr(
    signal: NDArray[np.float32], mask: NDArray[np.bool_], noise_power: float, snr: float
) -> float:
    """Return the factor that gives a signal the signal-to-noise ratio ``snr``.

    The ratio is that of :func:`cryopick_ray.simulate.spectrum.particle_snr`: the signal's variance
    inside the mask about its mean there (averaged over the stack), over the noise's variance.

    Parameters
    ----------
    signal
        ``(h, w)``, or a stack of particles ``(n, h, w)``, without noise.
    mask
        ``(h, w)``, true inside the particle.
    noise_power
        Variance of the noise per pixel.

    Raises
    ------
    UsageError
        If the signal is constant inside the mask, or the ratio or noise is not positive.
    """
    variance = float(signal[..., mask].var(axis=-1, dtype=np.float64).mean()) if mask.any() else 0.0
    if not (is_positive(variance) and is_positive(noise_power) and is_positive(snr)):
        raise UsageError(
            f"a signal of variance {variance:g}, noise of {noise_power:g} and a ratio of {snr:g}: expected "
            "all above 0"
        )
    return float(np.sqrt(snr * noise_power / variance))
