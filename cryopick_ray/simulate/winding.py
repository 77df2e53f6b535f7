"""Repeat units of filaments made of shapes: subunits filled with Gaussians and put about the axis."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from cryopick_ray.simulate.filling import Part, Recipe, fill
from cryopick_ray.simulate.helices import block, make_filament, units_in
from cryopick_ray.simulate.molecule import Helix, Molecule, make_molecule
from cryopick_ray.simulate.shapes import Solid

SMALLEST_SINGLE = 0.25
"""Size of a subunit that is seen, in widths; of others a stub lies about free."""
STUB = 0.5
"""Its length, in widths."""


@dataclass(frozen=True)
class Piece:
    """A subunit's place in the repeat unit.

    Attributes
    ----------
    recipe
        Its x axis points away from the filament's axis, its z axis along it.
    radius_A, phi_deg, z_A
        Where its centre of mass lies about the axis and along it.
    """

    recipe: Recipe
    radius_A: float
    phi_deg: float = 0.0
    z_A: float = 0.0


@dataclass(frozen=True)
class FilamentRecipe:
    """What a filament is made of: its repeat unit, the first piece of which lies about free, too."""

    name: str
    family: str
    rise_A: float
    twist_deg: float
    pieces: tuple[Piece, ...]


def subunit(
    name: str, half_A: tuple[float, float, float], solid: Solid, gaussians: int, density: float = 1.0
) -> Recipe:
    """Return the recipe of a subunit of one density; ``half_A`` as in a :class:`Recipe`."""
    return Recipe(name, "subunit", half_A, (Part(solid, density),), gaussians)


def ring(recipe: Recipe, copies: int, radius_A: float, z_A: Sequence[float] = ()) -> tuple[Piece, ...]:
    """Return pieces evenly about the axis, each at its own height."""
    heights_A = z_A or [0.0] * copies
    return tuple(Piece(recipe, radius_A, 360 / copies * i, z) for i, z in enumerate(heights_A))


def wind(recipe: FilamentRecipe) -> Molecule:
    """Fill the subunits and put them in their places."""
    molecules = [_filled(piece.recipe) for piece in recipe.pieces]
    placed = [_placed(piece, one) for piece, one in zip(recipe.pieces, molecules, strict=True)]
    count = sum(map(len, placed))
    filament = make_filament(
        recipe.name,
        np.concatenate(placed),
        np.concatenate([one.sigma_A for one in molecules]),
        np.concatenate([one.weight_kDa for one in molecules]),
        family=recipe.family,
        rise_A=recipe.rise_A,
        twist_deg=recipe.twist_deg,
        single=molecules[0],
        how=f"analytic: {count} Gaussians",
    )
    if molecules[0].diameter_A >= SMALLEST_SINGLE * filament.diameter_A:
        return filament
    stub = block(filament, units_in(filament, STUB))
    free = make_molecule(
        *(recipe.name, stub.centres_A, stub.sigma_A, stub.weight_kDa),
        family=recipe.family,
        mass_kDa=stub.mass_kDa,
        how=stub.how,
    )
    return replace(filament, helix=Helix(recipe.rise_A, recipe.twist_deg, free))


@cache
def _filled(recipe: Recipe) -> Molecule:
    """Fill one subunit, once: a ring has many of it."""
    return fill(recipe)


def _placed(piece: Piece, molecule: Molecule) -> NDArray[np.float64]:
    about = Rotation.from_euler("z", piece.phi_deg, degrees=True)
    return np.asarray(about.apply(molecule.centres_A + np.array([piece.radius_A, 0, piece.z_A])))
