"""Molecules made of plain shapes: solids filled with small Gaussians on a lattice."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.simulate.molecule import PROTEIN_A3_PER_KDA, Molecule, make_molecule

GAUSSIANS = 2000  # enough to keep the wall of a large shell thin
SMOOTH = 0.6  # width over lattice spacing, where the lattice itself no longer shows
TEXTURE = 0.5  # real density is lumpy; each Gaussian is up to this fraction heavier or lighter

Coordinates = NDArray[np.float64]
Solid = Callable[[Coordinates, Coordinates, Coordinates], NDArray[np.bool_]]


def analytic_molecules() -> list[Molecule]:
    """Return the built-in shapes, smallest first, from 50 kDa to 4 MDa."""
    return [
        _filled("globule", "globular", _ellipsoid(30, 23, 21), (30, 23, 21)),
        _filled("antibody", "y-shape", _three_lobes, (75, 30, 75)),
        _filled("disc", "disc", _tube(0, 65, 45), (65, 65, 23)),
        _filled("short-rod", "rod", _tube(0, 22, 180), (22, 22, 90)),
        _filled("long-rod", "rod", _tube(0, 30, 400), (30, 30, 200)),
        _filled("ring", "ring", _tube(50, 95, 50), (95, 95, 25)),
        _filled("barrel", "barrel", _tube(28, 68, 150), (68, 68, 75)),
        _filled("small-shell", "shell", _shell(70, 95), (95, 95, 95)),
        _filled("shell", "shell", _shell(132, 150), (150, 150, 150)),
    ]


def _filled(name: str, family: str, inside: Solid, half_A: Sequence[float]) -> Molecule:
    """Fill a solid within ``half_A`` (x, y, z) of the origin; its volume gives its mass."""
    fine = _lattice(half_A, min(half_A) / 20)
    volume_A3 = float(inside(*fine).mean() * 8 * np.prod(half_A))
    spacing_A = (volume_A3 / GAUSSIANS) ** (1 / 3)
    sigma_A = SMOOTH * spacing_A
    points = _lattice(half_A, spacing_A)
    centres_A = np.stack(points, axis=1)[inside(*points)]
    texture = np.random.default_rng(0).uniform(1 - TEXTURE, 1 + TEXTURE, len(centres_A))
    return make_molecule(
        name,
        centres_A,
        sigma_A,
        texture,
        family=family,
        mass_kDa=round(volume_A3 / PROTEIN_A3_PER_KDA, 1),
        how=f"analytic: {len(centres_A)} Gaussians of {sigma_A:.1f} A; mass from 1.21 A^3 per dalton",
    )


def _lattice(half_A: Sequence[float], spacing_A: float) -> tuple[Coordinates, Coordinates, Coordinates]:
    """Return x, y, z of a cubic lattice's points, symmetric about the origin."""
    counts = [max(1, round(2 * half / spacing_A)) for half in half_A]
    axes = [(np.arange(n) - (n - 1) / 2) * (2 * half / n) for n, half in zip(counts, half_A, strict=True)]
    x, y, z = (grid.ravel() for grid in np.meshgrid(*axes, indexing="ij"))
    return x, y, z


def _ellipsoid(a_A: float, b_A: float, c_A: float) -> Solid:
    return lambda x, y, z: (x / a_A) ** 2 + (y / b_A) ** 2 + (z / c_A) ** 2 < 1


def _shell(inner_A: float, outer_A: float) -> Solid:
    return lambda x, y, z: (inner_A**2 <= x**2 + y**2 + z**2) & (x**2 + y**2 + z**2 < outer_A**2)


def _tube(inner_A: float, outer_A: float, length_A: float) -> Solid:
    def inside(x: Coordinates, y: Coordinates, z: Coordinates) -> NDArray[np.bool_]:
        across = x**2 + y**2
        return (inner_A**2 <= across) & (across < outer_A**2) & (np.abs(z) < length_A / 2)

    return inside


def _three_lobes(x: Coordinates, y: Coordinates, z: Coordinates) -> NDArray[np.bool_]:
    """Two arms and a stem, as an antibody has."""
    lobe = _ellipsoid(38, 22, 18)
    angles = np.deg2rad([30, 150, 270])
    lobes = [lobe(x * np.cos(a) + z * np.sin(a) - 36, z * np.cos(a) - x * np.sin(a), y) for a in angles]
    return lobes[0] | lobes[1] | lobes[2]
