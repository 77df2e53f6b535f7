"""A molecule's Coulomb potential on a grid, and random deformations of molecules."""

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.simulate.gaussians import gaussian_field
from cryopick_ray.simulate.molecule import Molecule, make_molecule

CONTRAST_V_A3_PER_KDA = 4200.0
"""Integral of the potential above that of ice, per mass.

From scattering factors at zero angle (Peng 1996: C 2.51, N 2.21, O 1.98, H 0.53 A) and
47.88 V A^2: protein's 203 A per kDa fills 1210 A^3 (8.0 V), vitreous ice of 0.93 g/ml has 4.5 V;
the difference is 3.5 V over 1210 A^3. Nucleic acid has about half as much again:
fitted molecules leave it out, those made of shapes have it in their weights."""

SMALLEST_SQUEEZE = 0.5
HOLLOW_FROM, HOLLOW_TO = 0.3, 0.8


def density(molecule: Molecule, voxel_size_A: float, box: int) -> NDArray[np.float32]:
    """Sample a molecule's potential above that of the ice around it.

    Parameters
    ----------
    molecule
        The molecule, upright as it is stored.
    voxel_size_A
        Voxel side in angstroms. Gaussians narrower than half a voxel are widened to it.
    box
        Side of the volume in voxels, even (see :func:`box_for`).

    Returns
    -------
    ``(box, box, box)`` float32 in volts, axes z, y, x; matter is positive and the centre of mass
    lies at voxel ``box // 2`` of each axis. A sum along an axis times the voxel size is a projected
    potential in V A.

    Raises
    ------
    UsageError
        If the voxel size or the box is out of range.
    """
    sigma_A = np.maximum(molecule.sigma_A, np.float32(voxel_size_A / 2))
    contrast = molecule.weight_kDa * np.float32(CONTRAST_V_A3_PER_KDA)
    return gaussian_field(molecule.centres_A, sigma_A, contrast, voxel_size_A, box)


def box_for(molecule: Molecule, voxel_size_A: float) -> int:
    """Return the even side in voxels that holds the molecule in every orientation."""
    radii_A = np.linalg.norm(molecule.centres_A, axis=1) + 3 * molecule.sigma_A
    return 2 * int(np.ceil(radii_A.max() / voxel_size_A) + 1)


def reshaped(molecule: Molecule, rng: np.random.Generator) -> Molecule:
    """Squeeze a molecule along a random axis and hollow it by a random amount.

    Shapes that no protein has keep a picker trained across molecules from learning those it saw.
    Mass leaves with the density taken out; along the axis it shrinks to between half and all of its
    length, and inside a random fraction of its root-mean-square radius it keeps a random part of
    its density.
    """
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    squeeze = rng.uniform(SMALLEST_SQUEEZE, 1)
    centres_A = molecule.centres_A - (1 - squeeze) * np.outer(molecule.centres_A @ axis, axis)
    radius_A = np.linalg.norm(centres_A, axis=1)
    typical_A = np.sqrt(np.average(radius_A**2, weights=np.abs(molecule.weight_kDa)))
    inner = radius_A < rng.uniform(HOLLOW_FROM, HOLLOW_TO) * typical_A
    weight = molecule.weight_kDa * np.where(inner, rng.uniform(), 1)
    return make_molecule(
        molecule.name,
        centres_A,
        molecule.sigma_A,
        weight,
        family=molecule.family,
        mass_kDa=float(weight.sum()),
        how=f"{molecule.how}; squeezed to {squeeze:.2f} and hollowed",
        pdb=molecule.pdb,
    )
