"""A molecule: name, kind, mass, size, and its density as Gaussians."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryopick_ray.errors import UsageError
from cryopick_ray.simulate.gaussians import longest_dimension_A
from cryopick_ray.units import is_positive

PROTEIN_A3_PER_KDA = 1210.0
"""Volume of protein per mass (Harpaz, Gerstein, Chothia 1994, Structure 2:641)."""

MAX_REACH_A = 5000.0
"""How far from its centre of mass a molecule may reach; the largest viruses stay below."""


@dataclass(frozen=True, eq=False)
class Helix:
    """The helical symmetry of a filament along z.

    Attributes
    ----------
    rise_A, twist_deg
        Shift along z and rotation about it from one unit to the next.
    single
        The part of the filament that lies about as single particles: a subunit, or a stub.
    """

    rise_A: float
    twist_deg: float
    single: "Molecule"


@dataclass(frozen=True, eq=False)
class Molecule:
    """One molecule as a sum of round Gaussians about its centre of mass, or a filament's repeat unit.

    Attributes
    ----------
    name, aliases
        Names that it is found by.
    family
        Its kind: ribosome, proteasome, chaperone, capsid, enzyme, ring, rod, ...
    pdb
        PDB id it was made from, else empty.
    mass_kDa
        Mass in kilodaltons: the sum of ``weight_kDa``. With separate nucleic acid, lipid or detergent, the
        mass of protein with the same total scattering.
    diameter_A
        Longest dimension in angstroms (:func:`~cryopick_ray.simulate.gaussians.longest_dimension_A`); of
        a filament its width.
    how
        How the Gaussians were made, and how well they fit.
    centres_A
        ``(k, 3)`` float32 x, y, z in angstroms; the centre of mass is the origin, of a filament's unit
        the nearest point of the axis.
    sigma_A, weight_kDa
        ``(k,)`` float32 standard deviations in angstroms, and masses.
    helix
        Helical symmetry of a filament; ``None`` for a particle.
    """

    name: str
    aliases: tuple[str, ...]
    family: str
    pdb: str
    mass_kDa: float
    diameter_A: float
    how: str
    centres_A: NDArray[np.float32]
    sigma_A: NDArray[np.float32]
    weight_kDa: NDArray[np.float32]
    helix: Helix | None = None


def make_molecule(
    name: str,
    centres_A: ArrayLike,
    sigma_A: ArrayLike,
    weight: ArrayLike,
    *,
    family: str,
    mass_kDa: float,
    how: str,
    pdb: str = "",
    aliases: Sequence[str] = (),
) -> Molecule:
    """Centre the Gaussians on their centre of mass, scale their weights to the mass, measure them.

    Parameters
    ----------
    centres_A
        ``(k, 3)`` x, y, z in angstroms.
    sigma_A
        ``(k,)``, or one for all.
    weight
        ``(k,)`` on any scale; a few may be negative, their sum must be positive.

    Raises
    ------
    UsageError
        No Gaussians, something not finite or not positive, or a reach above :data:`MAX_REACH_A`.
    """
    centres = np.asarray(centres_A, np.float64)
    weights = np.asarray(weight, np.float64)
    if centres.ndim != 2 or centres.shape[1] != 3 or len(centres) == 0 or weights.shape != centres.shape[:1]:
        raise UsageError(
            f"molecule {name!r}: centres {centres.shape} and weights {weights.shape}; "
            "expected (k, 3) and (k,), at least one"
        )
    sigma = np.broadcast_to(np.asarray(sigma_A, np.float64), weights.shape)
    finite = all(np.isfinite(values).all() for values in (centres, sigma, weights))
    if not (finite and sigma.min() > 0 and weights.sum() > 0 and is_positive(mass_kDa)):
        raise UsageError(
            f"molecule {name!r}: expected finite coordinates, positive widths, and a density and a mass "
            f"({mass_kDa:g} kDa) above 0"
        )
    centres = centres - weights @ centres / weights.sum()
    reach_A = float(np.abs(centres).max() + sigma.max())
    if reach_A > MAX_REACH_A:
        raise UsageError(
            f"molecule {name!r} reaches {reach_A:.0f} A from its centre of mass; at most {MAX_REACH_A:.0f} A"
        )
    gaussians = (
        centres.astype(np.float32),
        sigma.astype(np.float32),
        (weights * (mass_kDa / weights.sum())).astype(np.float32),
    )
    for values in gaussians:
        values.flags.writeable = False  # shared by all who load it
    diameter_A = round(longest_dimension_A(*gaussians), 1)
    if not diameter_A > 0:
        raise UsageError(f"molecule {name!r} has no outline: its density is more below 0 than above")
    return Molecule(name, tuple(aliases), family, pdb, mass_kDa, diameter_A, how, *gaussians)
