"""A power spectrum without its background: rings, and noise of unit variance."""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.ctf.power_spectrum import PowerSpectrum

FloatArray = NDArray[np.float64]
BENDS_A, MOST_BENDS = 36.0, 9
"""Of the background: so many for each 1 per angstrom. Rings of 0.5 um lie closer, from 20 angstroms on."""
FEWEST_RINGS = 20
NOISE_RINGS = 60


@dataclass(frozen=True, eq=False)
class FlatSpectrum:
    """Logarithm of the power without its smooth background, in units of its noise.

    Attributes
    ----------
    k2, angle_rad
        Middles of the ``r`` rings and ``s`` sectors, see
        :class:`~cryopick_ray.micrographs.ctf.power_spectrum.PowerSpectrum`.
    residual
        ``(s, r)``, each ring weighted by the root of its number of samples; 0 where a cell holds none.
    weight
        ``(r,)`` that root.
    background
        ``(r, n)`` orthonormal: what no residual holds.
    """

    k2: FloatArray
    angle_rad: FloatArray
    residual: FloatArray
    weight: FloatArray
    background: FloatArray


def flatten(spectrum: PowerSpectrum, coarsest_A: float, finest_A: float) -> FlatSpectrum:
    """Return the spectrum from ``coarsest_A`` to ``finest_A``, less a polynomial in ``k`` of each sector.

    The logarithm makes the steep background and its gain in each direction terms of a sum, and keeps peaks
    and zeros where they are.

    Raises
    ------
    MicrographError
        Pixels are too coarse to show rings.
    """
    kept = (spectrum.k2 >= coarsest_A**-2) & (spectrum.k2 <= finest_A**-2)
    if kept.sum() < FEWEST_RINGS:
        raise MicrographError("its pixels are too coarse to see rings; expected fewer than 10 angstroms each")
    k2, samples = spectrum.k2[kept], spectrum.samples[:, kept]
    k = np.sqrt(k2)
    degree = min(MOST_BENDS, round(BENDS_A * float(k[-1])))
    basis = chebyshev.chebvander(2 * (k - k[0]) / (k[-1] - k[0]) - 1, degree)
    is_seen = (samples > 0) & (spectrum.power[:, kept] > 0)
    logarithm = np.log(spectrum.power[:, kept], where=is_seen, out=np.zeros_like(samples))
    weight = np.sqrt(samples.mean(axis=0))
    residual = np.zeros_like(logarithm)
    for row, values, cell_weight in zip(residual, logarithm, np.sqrt(samples) * is_seen, strict=True):
        fit, *_ = np.linalg.lstsq(basis * cell_weight[:, None], values * cell_weight, rcond=None)
        row[:] = values - basis @ fit
    residual *= weight * is_seen
    noise = np.sqrt(gaussian_filter1d((residual**2).mean(axis=0), NOISE_RINGS, mode="nearest"))
    if not noise.all():
        raise MicrographError("its power spectrum holds nothing but a smooth background")
    background, _ = np.linalg.qr(basis * weight[:, None])
    return FlatSpectrum(k2, spectrum.angle_rad, residual / noise, weight, background)
