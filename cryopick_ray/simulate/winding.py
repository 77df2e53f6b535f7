"""Repeat units of filaments made of shapes: subunits filled with Gaussians and put about the axis."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from cryopick_ray.simulate.filling import Composition, SolidPart, fill
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
    composition
        Its x axis points away from the filament's axis, its z axis along it.
    radius_A, phi_deg, z_A
        Where its centre of mass lies about the axis and along it.
    """

    composition: Composition
    radius_A: float
    phi_deg: float = 0.0
    z_A: float = 0.0


@dataclass(frozen=True)
class FilamentComposition:
    """What a filament is made of: its repeat unit, the first piece of which lies about free, too."""

    name: str
    family: str
    rise_A: float
    twist_deg: float
    pieces: tuple[Piece, ...]


def subunit(
    name: str, half_A: tuple[float, float, float], solid: Solid, gaussians: int, density: float = 1.0
) -> Composition:
    """Return the composition of a subunit of one density; ``half_A`` as in a :class:`Composition`."""
    return Composition(name, "subunit", half_A, (SolidPart(solid, density),), gaussians)


def ring(
    composition: Composition, copies: int, radius_A: float, z_A: Sequence[float] = ()
) -> tuple[Piece, ...]:
    """Return pieces evenly about the axis, each at its own height."""
    heights_A = z_A or [0.0] * copies
    return tuple(Piece(composition, radius_A, 360 / copies * i, z) for i, z in enumerate(heights_A))


def wind(composition: FilamentComposition) -> Molecule:
    """Fill the subunits and put them in their places."""
    molecules = [_filled(piece.composition) for piece in composition.pieces]
    placed = [_placed(piece, molecule) for piece, molecule in zip(composition.pieces, molecules, strict=True)]
    count = sum(map(len, placed))
    filament = make_filament(
        composition.name,
        np.concatenate(placed),
        np.concatenate([molecule.sigma_A for molecule in molecules]),
        np.concatenate([molecule.weight_kDa for molecule in molecules]),
        family=composition.family,
        rise_A=composition.rise_A,
        twist_deg=composition.twist_deg,
        single=molecules[0],
        how=f"analytic: {count} Gaussians",
    )
    if molecules[0].diameter_A >= SMALLEST_SINGLE * filament.diameter_A:
        return filament
    stub = block(filament, units_in(filament, STUB))
    free = make_molecule(
        *(composition.name, stub.centres_A, stub.sigma_A, stub.weight_kDa),
        family=composition.family,
        mass_kDa=stub.mass_kDa,
        how=stub.how,
    )
    return replace(filament, helix=Helix(composition.rise_A, composition.twist_deg, free))


@cache
def _filled(composition: Composition) -> Molecule:
    """Fill one subunit, once: a ring has many of it."""
    return fill(composition)


def _placed(piece: Piece, molecule: Molecule) -> NDArray[np.float64]:
    about = Rotation.from_euler("z", piece.phi_deg, degrees=True)
    return np.asarray(about.apply(molecule.centres_A + np.array([piece.radius_A, 0, piece.z_A])))
