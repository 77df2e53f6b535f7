"""Molecules made of solids: each part filled with small Gaussians on a lattice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.simulate.molecule import PROTEIN_A3_PER_KDA, Molecule, make_molecule
from cryopick_ray.simulate.shapes import Points, Solid

GAUSSIANS = 1500
SAMPLES = 16_000  # good to about a percent of the volume
SMOOTH = 0.6  # width over lattice spacing, where the lattice itself no longer shows
TEXTURE = 0.5  # real density is lumpy; each Gaussian is up to this fraction heavier or lighter


@dataclass(frozen=True)
class SolidPart:
    """A solid of one density.

    Attributes
    ----------
    density
        Scattering above that of ice per volume, relative to protein.
    coarseness
        Spacing of its lattice, relative to that of the other parts.
    """

    solid: Solid
    density: float = 1.0
    coarseness: float = 1.0


@dataclass(frozen=True)
class Composition:
    """What a molecule is made of.

    Attributes
    ----------
    half_A
        It lies within these distances of the origin along x, y, z.
    parts
        What lies in several of them is of the last.
    gaussians
        About how many fill it.
    step_A
        Spacing of the points that measure the volumes; ``None`` for about :data:`SAMPLES` points.
    """

    name: str
    family: str
    half_A: tuple[float, float, float]
    parts: tuple[SolidPart, ...]
    gaussians: int = GAUSSIANS
    step_A: float | None = None


def one(name: str, family: str, half_A: tuple[float, float, float], solid: Solid) -> Composition:
    """Return the composition of a molecule that is protein throughout."""
    return Composition(name, family, half_A, (SolidPart(solid),))


def fill(composition: Composition) -> Molecule:
    """Fill the parts; their volumes and densities give the mass, that of protein that scatters as much."""
    half_A, parts = composition.half_A, composition.parts
    box_A3 = float(8 * np.prod(half_A))
    owner = _owner(parts, _lattice(half_A, composition.step_A or (box_A3 / SAMPLES) ** (1 / 3)))
    volumes_A3 = [float((owner == i).mean() * box_A3) for i in range(len(parts))]
    shares = [volume / part.coarseness**3 for volume, part in zip(volumes_A3, parts, strict=True)]
    spacing_A = (sum(shares) / composition.gaussians) ** (1 / 3)
    centres_A, sigma_A, weights = [], [], []
    rng = np.random.default_rng(0)
    for i, part in enumerate(parts):
        points = _lattice(half_A, spacing_A * part.coarseness)
        points = points[_owner(parts, points) == i]
        centres_A.append(points)
        sigma_A.append(np.full(len(points), SMOOTH * spacing_A * part.coarseness))
        texture = rng.uniform(1 - TEXTURE, 1 + TEXTURE, len(points))
        weights.append(texture * part.density * part.coarseness**3)
    scattering_A3 = sum(volume * part.density for volume, part in zip(volumes_A3, parts, strict=True))
    count = sum(map(len, centres_A))
    return make_molecule(
        composition.name,
        np.concatenate(centres_A),
        np.concatenate(sigma_A),
        np.concatenate(weights),
        family=composition.family,
        mass_kDa=round(scattering_A3 / PROTEIN_A3_PER_KDA, 1),
        how=f"analytic: {count} Gaussians of {SMOOTH * spacing_A:.1f} A; {_mass_from(parts)}",
    )


def _mass_from(parts: Sequence[SolidPart]) -> str:
    densities = sorted({part.density for part in parts})
    if densities == [1.0]:
        return "mass from 1.21 A^3 per dalton"
    shown = ", ".join(f"{density:g}" for density in densities)
    return f"densities {shown} of protein's; mass of protein that scatters as much"


def _owner(parts: Sequence[SolidPart], points: Points) -> NDArray[np.int64]:
    """Return ``(n,)`` the number of the last part that each point lies in, or -1."""
    owner = np.full(len(points), -1)
    for i, part in enumerate(parts):
        owner[part.solid(points)] = i
    return owner


def _lattice(half_A: Sequence[float], spacing_A: float) -> Points:
    """Return ``(n, 3)`` points of a cubic lattice, symmetric about the origin."""
    counts = [max(1, round(2 * half / spacing_A)) for half in half_A]
    axes = [(np.arange(n) - (n - 1) / 2) * (2 * half / n) for n, half in zip(counts, half_A, strict=True)]
    return np.stack([grid.ravel() for grid in np.meshgrid(*axes, indexing="ij")], axis=1)
