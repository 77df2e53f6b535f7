"""How evenly the views of particles fill Fourier space."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

DIRECTIONS = 1000
THICKNESS_DEG = 2.5
"""A slice covers what is as near to its plane: a sample at 11 shells from the centre."""
AT_ONCE = 4096
GOLDEN_RAD = np.pi * (3 - np.sqrt(5))


def sampling_evenness(angles_deg: ArrayLike) -> float:
    """Return how evenly slices through Fourier space cover its directions, from 0 to 1 (all alike).

    The sampling compensation factor (Baldwin, Lyumkis 2020, Prog. Biophys. Mol. Biol. 150:160): the harmonic
    mean of how often a direction is covered, over the mean. A direction that no slice covers counts as half a
    slice; few particles are uneven by chance.

    Parameters
    ----------
    angles_deg
        ``(n, 3)`` rlnAngleRot, Tilt and Psi.
    """
    angles = np.asarray(angles_deg, np.float64).reshape(-1, 3)
    if not len(angles):
        return 0.0
    beams = beam_axes(angles)
    directions = _half_sphere(DIRECTIONS)
    near = np.sin(np.deg2rad(THICKNESS_DEG))
    covered = np.zeros(DIRECTIONS)
    for start in range(0, len(beams), AT_ONCE):
        covered += (np.abs(directions @ beams[start : start + AT_ONCE].T) < near).sum(axis=1)
    return float(1 / np.mean(1 / np.maximum(covered, 0.5)) / max(covered.mean(), 0.5))


def beam_axes(angles_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``(n, 3)`` directions x, y, z of the beam, as the molecule sees it: psi does not matter."""
    axes = Rotation.from_euler("ZYZ", angles_deg, degrees=True).apply([0.0, 0.0, 1.0])
    return np.asarray(axes)


def _half_sphere(n: int) -> NDArray[np.float64]:
    """Return ``(n, 3)`` directions spread evenly over half a sphere, by Fibonacci's spiral."""
    z = (np.arange(n) + 0.5) / n
    turn = GOLDEN_RAD * np.arange(n)
    radius = np.sqrt(1 - z * z)
    return np.column_stack([radius * np.cos(turn), radius * np.sin(turn), z])
