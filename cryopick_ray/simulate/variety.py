"""Random variants of molecules: rounded, stretched, flattened, hollowed or condensed."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryopick_ray.simulate.helices import make_filament
from cryopick_ray.simulate.molecule import Molecule, make_molecule
from cryopick_ray.simulate.projection import random_rotations

STRETCH = np.log(1.8)
"""Most that the longest of three perpendicular axes grows or shrinks, as a logarithm."""
HOLLOW = -1.5, 3.0
"""Least and most that the logarithm of the density grows from the middle to the rim."""
FLATTEN = np.log(1.5)
"""Most that a filament's cross-section grows or shrinks along one axis, as a logarithm."""
WIND = 0.15, 0.4
"""Most that its rise and its twist grow or shrink, likewise."""
SLIMMEST = 0.05
"""Least extent along a principal axis that is counted, relative to the greatest: flat things stay so."""


def varied(molecule: Molecule, rng: np.random.Generator, amount: float) -> Molecule:
    """Return another molecule made of this one; its longest dimension and its mass stay.

    The molecule is made rounder along its principal axes, then stretched or flattened along three
    perpendicular axes in random directions, and density moves from the middle to the rim or the other way.
    A network trained on variants depends less on the few shapes of the library, most of them far
    from round.

    Parameters
    ----------
    amount
        0 returns the molecule itself, 1 changes as much as :data:`STRETCH` and :data:`HOLLOW` say.
    """
    if amount == 0:
        return molecule
    if molecule.helix is not None:
        return _varied_filament(molecule, rng, amount)
    rounding, stretching, hollowing = amount * rng.uniform((0, 0, HOLLOW[0]), (1, 1, HOLLOW[1]))
    axes = random_rotations(rng, 1)[0]
    stretch = axes @ np.diag(np.exp(stretching * rng.uniform(-STRETCH, STRETCH, 3))) @ axes.T
    stretch = _rounder(molecule, rounding) @ stretch
    centres_A = molecule.centres_A.astype(np.float64)
    radius = np.linalg.norm(centres_A, axis=1)
    outward = (radius / max(radius.max(), 1e-6)) ** 2
    weights = molecule.weight_kDa * np.exp(hollowing * outward)
    widths_A = molecule.sigma_A.astype(np.float64) * np.cbrt(np.linalg.det(stretch))
    free = _like(molecule, centres_A @ stretch, widths_A, weights)
    size = molecule.diameter_A / free.diameter_A
    changed = _like(molecule, free.centres_A * size, free.sigma_A * size, free.weight_kDa)
    return replace(changed, diameter_A=molecule.diameter_A)


def _varied_filament(molecule: Molecule, rng: np.random.Generator, amount: float) -> Molecule:
    """Return another filament of the same width: flattened, hollowed or condensed, wound otherwise."""
    helix = molecule.helix
    assert helix is not None
    turn, hollowing = rng.uniform(0, np.pi), amount * rng.uniform(*HOLLOW)
    axis = np.array([np.cos(turn), np.sin(turn)])
    flatten = np.exp(amount * rng.uniform(-FLATTEN, FLATTEN)) - 1
    rise, twist = np.exp(amount * rng.uniform(-1, 1, 2) * WIND)
    centres_A = molecule.centres_A.astype(np.float64)
    centres_A[:, :2] += flatten * np.outer(centres_A[:, :2] @ axis, axis)
    away = np.hypot(centres_A[:, 0], centres_A[:, 1])
    weight = molecule.weight_kDa * np.exp(hollowing * (away / max(away.max(), 1e-6)) ** 2)
    weight *= molecule.mass_kDa / weight.sum()
    free = make_filament(
        *(molecule.name, centres_A, molecule.sigma_A, weight),
        family=molecule.family,
        rise_A=helix.rise_A * rise,
        twist_deg=helix.twist_deg * twist,
        single=helix.single,
        how=f"{molecule.how}; varied",
    )
    size = molecule.diameter_A / free.diameter_A
    sized_A = free.centres_A * np.array([size, size, 1], np.float32)
    return replace(free, centres_A=sized_A, diameter_A=molecule.diameter_A)


def _rounder(molecule: Molecule, amount: float) -> NDArray[np.float64]:
    """Return the ``(3, 3)`` map that makes extents along the principal axes equal if ``amount`` is 1."""
    centres_A, weight = molecule.centres_A.astype(np.float64), np.abs(molecule.weight_kDa)
    inertia = centres_A.T @ (centres_A * (weight / weight.sum())[:, None]) + 1e-6 * np.eye(3)
    variance, axes = np.linalg.eigh(inertia)
    extent = np.maximum(np.sqrt(variance / variance.max()), SLIMMEST)
    rounder: NDArray[np.float64] = axes @ np.diag(extent**-amount) @ axes.T
    return rounder


def _like(molecule: Molecule, centres_A: ArrayLike, sigma_A: ArrayLike, weight: ArrayLike) -> Molecule:
    """Return other Gaussians of the same name, kind and mass."""
    return make_molecule(
        molecule.name,
        centres_A,
        sigma_A,
        weight,
        family=molecule.family,
        mass_kDa=molecule.mass_kDa,
        how=f"{molecule.how}; varied",
    )
