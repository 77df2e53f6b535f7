"""Filaments: a repeat unit with rise and twist, and the width of the filament."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d

from cryopick_ray.errors import UsageError
from cryopick_ray.simulate.molecule import Helix, Molecule
from cryopick_ray.units import is_positive

PREFIX = "helix:"
"""Prefix of the name of a helix wound of another molecule."""
MAX_WIDTH_A = 1000.0
"""Width over the middles of wound molecules, and one more, at most."""
OUTLINE = 0.1
"""Density at the edge of the projection, averaged over all sides, relative to the greatest: farther out is
a fringe."""
BLOCK = 1 / 3
"""Length of the straight pieces that a filament is drawn of, in widths: a bend shows no corners."""
SIDES, BINS = 90, 200
"""How many sides a filament is seen from, and steps from its axis to its edge, when its width is measured."""
TOUCH = 0.9
"""Distance of neighbouring molecules in a helix, in diameters of balls of their volume."""
THINNEST = 0.3
"""Distance of a molecule from the axis at least, likewise: one that lies on it would turn unseen."""


def make_filament(
    name: str,
    centres_A: ArrayLike,
    sigma_A: ArrayLike,
    weight_kDa: ArrayLike,
    *,
    family: str,
    rise_A: float,
    twist_deg: float,
    single: Molecule,
    how: str,
) -> Molecule:
    """Make a filament of its repeat unit.

    Parameters
    ----------
    centres_A
        ``(k, 3)`` x, y, z in angstroms, the axis along z through x = y = 0.
    sigma_A, weight_kDa
        ``(k,)``.
    single
        The molecule that lies about as single particles.
    """
    centres, weight = np.array(centres_A, np.float32), np.asarray(weight_kDa, np.float32)
    sigma = np.asarray(sigma_A, np.float32)
    centres[:, 2] -= np.float32(weight @ centres[:, 2] / weight.sum())
    width_A = _width_A(centres, sigma, weight)
    for values in (centres, sigma, weight):
        values.flags.writeable = False  # shared by all who load it
    description = f"{how}; a unit every {rise_A:.4g} A, turned by {twist_deg:.4g} degrees"
    return Molecule(
        *(name, (), family, "", round(float(weight.sum()), 1), round(width_A, 1), description),
        *(centres, sigma, weight, Helix(rise_A, twist_deg, single)),
    )


def units_in(filament: Molecule, widths: float) -> int:
    """Return how many units are as long as so many widths of a filament; at least one."""
    assert filament.helix is not None
    return max(1, int(widths * filament.diameter_A / filament.helix.rise_A))


def block(filament: Molecule, units: int) -> Molecule:
    """Return a piece of so many units, its middle at the origin and its axis along z."""
    helix = filament.helix
    assert helix is not None
    steps = np.arange(units) - (units - 1) / 2
    angle = np.deg2rad(steps * helix.twist_deg)[:, None]
    x, y, z = filament.centres_A.T.astype(np.float64)
    turned = (
        x * np.cos(angle) - y * np.sin(angle),
        x * np.sin(angle) + y * np.cos(angle),
        z + steps[:, None] * helix.rise_A,
    )
    return replace(
        filament,
        mass_kDa=filament.mass_kDa * units,
        centres_A=np.stack([axis.ravel() for axis in turned], axis=1).astype(np.float32),
        sigma_A=np.tile(filament.sigma_A, units),
        weight_kDa=np.tile(filament.weight_kDa, units),
    )


def helix_of(spec: str, molecule: Molecule, rise_A: float, twist_deg: float) -> Molecule:
    """Wind a helix of one molecule, upright as it is stored, as slim as its neighbours leave room.

    Parameters
    ----------
    spec
        The helix as a person wrote it, for messages.

    Raises
    ------
    UsageError
        A filament of filaments, units too far apart to touch, or no room for so many.
    """
    if molecule.helix is not None:
        raise UsageError(
            f"{spec!r} is a helix of {molecule.name!r}, which is a filament: expected a particle "
            "(`molecules`)"
        )
    if not (is_positive(rise_A) and rise_A <= molecule.diameter_A and -180 <= twist_deg <= 180):
        raise UsageError(
            f"{spec!r} has a rise of {rise_A:g} A and a twist of {twist_deg:g} degrees: expected a rise "
            f"above 0 and at most the molecule's diameter, {molecule.diameter_A:g} A, and a twist from -180 "
            "to 180 (`molecules`)"
        )
    ball_A = _ball_A(molecule)
    radius_A = _slimmest_A(rise_A, twist_deg, TOUCH * ball_A)
    if radius_A is None:
        raise UsageError(
            f"{spec!r} leaves no room for its molecules of about {ball_A:.0f} A within {MAX_WIDTH_A:.0f} A: "
            f"expected a rise nearer to {TOUCH * ball_A:.0f} A or a twist with more room (`molecules`)"
        )
    radius_A = max(radius_A, THINNEST * ball_A)
    return make_filament(
        f"helix-{molecule.name}-{rise_A:g}-{twist_deg:g}",
        molecule.centres_A + np.array([radius_A, 0, 0], np.float32),
        molecule.sigma_A,
        molecule.weight_kDa,
        family="helix",
        rise_A=rise_A,
        twist_deg=twist_deg,
        single=molecule,
        how=f"{molecule.name} {radius_A:.0f} A from the axis",
    )


def parse_helix(spec: str) -> tuple[str, float, float]:
    """Return molecule, rise and twist of ``helix:MOLECULE:RISE:TWIST``."""
    molecule, *numbers = spec[len(PREFIX) :].rsplit(":", 2)
    try:
        rise_A, twist_deg = map(float, numbers)
    except ValueError:
        raise UsageError(
            f"no filament {spec!r}: expected {PREFIX}MOLECULE:RISE:TWIST, such as {PREFIX}globule:40:-27, "
            "with the rise in angstroms and the twist in degrees (`molecules`)"
        ) from None
    return molecule, rise_A, twist_deg


def _width_A(
    centres_A: NDArray[np.float32], sigma_A: NDArray[np.float32], weight: NDArray[np.float32]
) -> float:
    """Return how wide it is seen, on average over all sides: :data:`OUTLINE` of the density is an edge."""
    sides = np.cos(np.linspace(0, np.pi / 2, SIDES))
    away_A = np.hypot(centres_A[:, 0], centres_A[:, 1])
    spread_A = float(np.average(sigma_A, weights=np.abs(weight)))
    step_A = (away_A.max() + 5 * spread_A) / BINS
    profile = np.histogram(
        np.outer(away_A, sides), BINS, (0, BINS * step_A), weights=np.repeat(weight[:, None], SIDES, axis=1)
    )[0]
    profile = gaussian_filter1d(profile, spread_A / step_A, mode="reflect")
    last = int(np.flatnonzero(profile > OUTLINE * profile.max())[-1])
    return float(2 * (last + 1) * step_A)


def _ball_A(molecule: Molecule) -> float:
    """Return the diameter of a ball that is as spread out as a molecule."""
    square = (molecule.centres_A.astype(np.float64) ** 2).sum(axis=1) + 3 * molecule.sigma_A**2
    weight = np.maximum(molecule.weight_kDa, 0)
    return 2 * float(np.sqrt(5 / 3 * np.average(square, weights=weight)))


def _slimmest_A(rise_A: float, twist_deg: float, apart_A: float) -> float | None:
    """Return the least distance from the axis at which all units are so far apart; ``None`` for none."""
    steps = np.arange(1, int(apart_A / rise_A) + 1)
    across = np.sqrt(np.maximum(apart_A**2 - (steps * rise_A) ** 2, 0))
    chord = 2 * np.abs(np.sin(np.deg2rad(steps * twist_deg) / 2))
    steps_apart = across > 0
    if (chord[steps_apart] < 1e-9).any():
        return None
    radius_A = float((across[steps_apart] / chord[steps_apart]).max(initial=0))
    return radius_A if 2 * radius_A + apart_A <= MAX_WIDTH_A else None
