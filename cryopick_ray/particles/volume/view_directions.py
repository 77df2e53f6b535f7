"""Directions that a molecule is seen from: an even grid of them, and how evenly a data set has them."""

import math

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.simulate.projection import euler_to_rotations

SEEN_DEG = 5.0
PROBES = 2000


def directions(count: int) -> NDArray[np.float64]:
    """Return ``(count, 3)`` unit vectors x, y, z spread evenly: a Fibonacci lattice (Gonzalez 2010)."""
    number = np.arange(count)
    z = 1 - (2 * number + 1) / count
    azimuth = number * math.pi * (3 - math.sqrt(5))
    across = np.sqrt(1 - z**2)
    return np.stack([across * np.cos(azimuth), across * np.sin(azimuth), z], axis=1)


def even_rotations(step_deg: float, symmetry: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rotations ``(n, 3, 3)`` about a step apart, one of those that a symmetry makes alike.

    Parameters
    ----------
    symmetry
        ``(s, 3, 3)`` rotations of :func:`~.symmetry.rotations_of`.
    """
    step = math.radians(step_deg)
    # A part of the sphere that is narrower than a step still has views all along it.
    views = directions(math.ceil(max(4 * math.pi / step**2, len(symmetry) * math.pi / step)))
    # Views that symmetry makes alike have one representative: the first of a fixed order of them.
    alike = np.einsum("nj,sji->nsi", views, symmetry)
    reach = alike @ np.array([1.0, 0.618, 0.382])
    views = views[reach[:, 0] >= reach.max(axis=1) - 1e-9]
    psi = np.arange(math.ceil(360 / step_deg)) * 360 / math.ceil(360 / step_deg)
    rot, tilt = np.rad2deg(np.arctan2(views[:, 1], views[:, 0])), np.rad2deg(np.arccos(views[:, 2]))
    angles = [np.repeat(rot, len(psi)), np.repeat(tilt, len(psi)), np.tile(psi, len(views))]
    return euler_to_rotations(np.stack(angles, axis=1))


def sampling(rotations: NDArray[np.float64], symmetry: NDArray[np.float64]) -> tuple[float, float]:
    """Return how evenly views sample a molecule's spectrum.

    Parameters
    ----------
    rotations
        ``(n, 3, 3)`` of the particles.
    symmetry
        ``(s, 3, 3)``.

    Returns
    -------
    The sampling compensation factor over directions that are seen (Baldwin & Lyumkis 2020, Prog. Biophys.
    Mol. Biol. 150:160): 1 for even views, the less the more particles it takes to make up for uneven ones;
    and the part of all directions that no slice comes within 5 degrees of.
    """
    axes = np.einsum("nj,sji->nsi", rotations[:, 2, :], symmetry).reshape(-1, 3).astype(np.float32)
    probes = directions(PROBES).astype(np.float32)
    near = np.float32(math.sin(math.radians(SEEN_DEG)))
    seen = np.zeros(PROBES)
    for start in range(0, len(axes), 10_000):
        seen += (np.abs(axes[start : start + 10_000] @ probes.T) < near).sum(axis=0)
    even = len(axes) * float(near)
    some = seen[seen > 0]
    return float(1 / np.mean(even / some)), float(np.mean(seen == 0))
