"""Defocus in every direction."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
USUAL_ASTIGMATISM_A = 300.0
"""Standard deviation of half the difference of the two defoci, along each axis: a microscope in use is
stigmated, and faint rings must not be made up for by astigmatism."""


class Lens(NamedTuple):
    """Defocus ``mean + along_x cos(2 t) + along_diagonal sin(2 t)`` in the direction ``t``, in angstroms."""

    mean_A: float
    along_x_A: float
    diagonal_A: float

    def defocus_A(self, angle_rad: FloatArray) -> FloatArray:
        """Return the defocus in each direction."""
        turned = self.along_x_A * np.cos(2 * angle_rad) + self.diagonal_A * np.sin(2 * angle_rad)
        return self.mean_A + turned

    @property
    def half_A(self) -> float:
        """Half the difference of the two principal defoci."""
        return math.hypot(self.along_x_A, self.diagonal_A)

    @property
    def angle_deg(self) -> float:
        """Direction of the larger one, 0 to 180."""
        return math.degrees(math.atan2(self.diagonal_A, self.along_x_A) / 2) % 180

    @property
    def unlikely(self) -> float:
        """Penalty of its astigmatism in log likelihood."""
        return (self.along_x_A**2 + self.diagonal_A**2) / (2 * USUAL_ASTIGMATISM_A**2)
