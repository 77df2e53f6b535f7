"""How far rings can be followed, how well they fit, and what speaks against them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from cryopick_ray.micrographs.ctf.flat_spectrum import FlatSpectrum, flatten
from cryopick_ray.micrographs.ctf.lens import Lens
from cryopick_ray.micrographs.ctf.phase import RingPhase
from cryopick_ray.micrographs.ctf.power_spectrum import FINEST_A, PowerSpectrum

FloatArray = NDArray[np.float64]
AGREES = 0.5
"""Least correlation of rings that are said to fit, as CTFFIND 4 has it (Rohou & Grigorieff 2015)."""
NARROWEST_WINDOW = 1e-3
ICE_A, BESIDE_ICE_A = (3.95, 3.4), ((4.5, 4.1), (3.38, 3.2))
"""Vitreous ice has its ring about 3.7 angstroms, hexagonal ice 3.90, 3.67 and 3.44."""


@dataclass(frozen=True)
class Quality:
    """How well rings fit; see :class:`~cryopick_ray.micrographs.ctf.result.CtfFit`.

    Attributes
    ----------
    rings
        How many are followed without a break, as far as ``resolution_A``.
    """

    resolution_A: float | None
    score: float
    rings: float


def judge(spectrum: PowerSpectrum, phase: RingPhase, lens: Lens, *, coarsest_A: float) -> Quality:
    """Compare a spectrum with the rings of a lens, ring by ring from ``coarsest_A`` on."""
    flat = flatten(spectrum, coarsest_A, FINEST_A)
    seen, rings = equiphase(flat, phase, lens), phase.rings(flat.k2, np.array(lens.mean_A))
    period = (flat.k2[-1] - flat.k2[0]) * phase.ring_defocus_A(flat.k2) / abs(lens.mean_A)
    width = max(period, NARROWEST_WINDOW) / (flat.k2[1] - flat.k2[0])
    agreement, seen, rings = _agreement(seen, rings, width)
    first, last = _longest(agreement >= AGREES)
    if last - first < 2:
        return Quality(None, 0.0, 0.0)
    score = float(np.corrcoef(seen[first:last], rings[first:last])[0, 1])
    return Quality(
        resolution_A=float(flat.k2[last - 1] ** -0.5),
        score=score,
        rings=float((flat.k2[last - 1] - flat.k2[first]) / period),
    )


def equiphase(flat: FlatSpectrum, phase: RingPhase, lens: Lens) -> FloatArray:
    """Return ``(r,)`` the mean of all sectors, each stretched so that the rings of all coincide."""
    rows = [
        np.interp(flat.k2, phase.as_seen_at(flat.k2, own_A, lens.mean_A), row)
        for own_A, row in zip(lens.defocus_A(flat.angle_rad).tolist(), flat.residual, strict=True)
    ]
    mean: FloatArray = np.mean(rows, axis=0)
    return mean


def ice_ring(spectrum: PowerSpectrum) -> float | None:
    """Return the excess of power about 3.7 angstroms over what lies beside, as a part of that.

    ``None`` where pixels are too coarse to see what lies beyond.
    """
    (low, high) = BESIDE_ICE_A
    if spectrum.k2[-1] < high[1] ** -2:
        return None
    total = np.nansum(spectrum.power * spectrum.samples, axis=0) / spectrum.samples.sum(axis=0)
    beside = _between(spectrum.k2, low) | _between(spectrum.k2, high)
    line = np.polynomial.Polynomial.fit(spectrum.k2[beside], np.log(total[beside]), 1)
    inside = _between(spectrum.k2, ICE_A)
    return float(np.mean(total[inside] / np.exp(line(spectrum.k2[inside]))) - 1)


def _longest(agrees: NDArray[np.bool_]) -> tuple[int, int]:
    """Return first and end of the longest run that is true."""
    steps = np.diff(np.concatenate([[0], agrees.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    if not len(starts):
        return 0, 0
    run = int(np.argmax(ends - starts))
    return int(starts[run]), int(ends[run])


def _between(k2: FloatArray, ends_A: tuple[float, float]) -> NDArray[np.bool_]:
    return (k2 >= ends_A[0] ** -2) & (k2 <= ends_A[1] ** -2)


def _agreement(
    seen: FloatArray, rings: FloatArray, width: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the correlation about each place, and both profiles less their means there."""

    def smooth(values: FloatArray) -> FloatArray:
        return np.asarray(gaussian_filter1d(values, width, mode="nearest"))

    seen, rings = seen - smooth(seen), rings - smooth(rings)
    power = smooth(seen**2) * smooth(rings**2)
    return smooth(seen * rings) / np.sqrt(np.maximum(power, 1e-30)), seen, rings
