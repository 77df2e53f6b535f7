"""Clumps: molecules that stuck together, as offsets from the clump's centre."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOUCH = (0.45, 0.95)
"""Distance of a member to the one it sticks to, in mean diameters: clumps overlap in projection."""


@dataclass(frozen=True)
class Aggregate:
    """A clump of molecules.

    Attributes
    ----------
    molecule
        ``(k,)`` int64 indices into the list of molecules.
    offsets_px
        ``(k, 2)`` x, y of the members from the clump's centre.
    reach_px
        Radius of the disc that keeps other particles at their distance from every member.
    """

    molecule: NDArray[np.int64]
    offsets_px: NDArray[np.float64]
    reach_px: float


def grow(
    rng: np.random.Generator, molecule: NDArray[np.int64], diameters_px: NDArray[np.float64], apart: float
) -> Aggregate:
    """Stick molecules to each other one by one, each to a random earlier one.

    Parameters
    ----------
    molecule
        ``(k,)`` the members.
    diameters_px
        ``(m,)`` of the list of molecules.
    apart
        Minimum distance to particles outside, as a fraction of the mean diameter.
    """
    size = diameters_px[molecule]
    offsets = np.zeros((len(molecule), 2))
    for k in range(1, len(molecule)):
        host = int(rng.integers(k))
        angle = rng.uniform(0, 2 * np.pi)
        distance = rng.uniform(*TOUCH) * (size[k] + size[host]) / 2
        offsets[k] = offsets[host] + distance * np.array([np.cos(angle), np.sin(angle)])
    offsets -= (offsets.max(axis=0) + offsets.min(axis=0)) / 2
    reach = np.hypot(offsets[:, 0], offsets[:, 1]) + apart * size / 2
    return Aggregate(molecule, offsets, float(reach.max()))
