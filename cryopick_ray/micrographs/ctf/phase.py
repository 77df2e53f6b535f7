"""The phase of the contrast transfer as a function of defocus and squared frequency."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.constants
from numpy.typing import NDArray

from cryopick_ray.units import Optics

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class RingPhase:
    """The phase whose squared sine makes the rings of a power spectrum.

    ``2 chi = slope z k^2 - bend k^4 + offset``; ``chi = pi lambda z k^2 - pi/2 Cs lambda^3 k^4 + asin(w)`` as
    :func:`cryopick_ray.simulate.optics.transfer` has it.
    """

    slope: float
    bend: float
    offset: float

    @classmethod
    def of(cls, optics: Optics) -> "RingPhase":
        """Return the phase for a microscope."""
        wavelength = wavelength_A(optics.voltage_kV)
        return cls(
            slope=2 * math.pi * wavelength,
            bend=math.pi * optics.spherical_aberration_mm * 1e7 * wavelength**3,
            offset=2 * math.asin(optics.amplitude_contrast),
        )

    def ring_defocus_A(self, k2: FloatArray) -> float:
        """Return the defocus that makes one ring from the first to the last ``k2``; twice that makes two."""
        return 2 * math.pi / (self.slope * float(k2[-1] - k2[0]))

    def rings(self, k2: FloatArray, defocus_A: FloatArray) -> FloatArray:
        """Return ``-cos(2 chi)``: 1 on the rings, -1 on the zeros between; ``k2`` per square angstrom."""
        return -np.cos(k2 * (self.slope * defocus_A - self.bend * k2) + self.offset)

    def as_seen_at(self, k2: FloatArray, defocus_A: float, mean_A: float) -> FloatArray:
        """Return where a spectrum of ``mean_A`` has the phase that one of ``defocus_A`` has at ``k2``."""
        phase = k2 * (self.slope * defocus_A - self.bend * k2)
        slope = self.slope * mean_A
        inside = np.maximum(slope**2 - 4 * self.bend * phase, 0)
        return 2 * phase / (slope + np.sqrt(inside))


def wavelength_A(voltage_kV: float) -> float:
    """Return the relativistic wavelength of electrons in angstroms."""
    rest_eV = scipy.constants.electron_mass * scipy.constants.c**2 / scipy.constants.elementary_charge
    energy_eV = voltage_kV * 1e3
    momentum_eV = math.sqrt(energy_eV * (energy_eV + 2 * rest_eV))
    metre_eV = scipy.constants.h * scipy.constants.c / scipy.constants.elementary_charge
    return metre_eV / momentum_eV * 1e10
