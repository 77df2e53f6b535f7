"""Molecules from a person's own files: density maps (MRC) and coordinates (PDB, mmCIF)."""

import math
from pathlib import Path
from typing import Any

import gemmi
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError, brief
from cryopick_ray.simulate.map_file import read_map_values
from cryopick_ray.simulate.molecule import MAX_REACH_A, PROTEIN_A3_PER_KDA, Molecule, make_molecule

MAP_SUFFIXES = (".mrc", ".map", ".ccp4")
COORDINATE_SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif")
MAX_COORDINATE_BYTES = 2**29  # the largest mmCIF files of the PDB (HIV capsids) stay below
MAX_GAUSSIANS = 20_000  # what a grid is filled with in a second
FINEST_A = 3.0  # spacing of the Gaussians: finer than any picker looks
EDGE = 0.1  # of the highest density: what lies below is taken as solvent
LOOSE = 1.45  # volume in the contour over that of the protein in it: measured on maps of known mass
SMOOTH = 0.6  # width over spacing, where a lattice of Gaussians no longer shows
HYDROGEN = 1.07  # mass of protein with hydrogens over that without


def read_map(path: Path) -> Molecule:
    """Make a molecule from an MRC density map, matter positive.

    The median is taken as background and what lies below a tenth of the highest density as
    solvent. The map is binned to at least 3 A, or more where that gives too many Gaussians, and
    Gaussians on that lattice interpolate it. Its scale is unknown, so the mass is estimated from the
    volume above half of the mass-weighted mean density, to about a fifth (apoferritin,
    beta-galactosidase, 20S proteasome; a thin capsid comes out a third too heavy).

    Raises
    ------
    UsageError
        Unreadable, not a volume, too large, no voxel size, or no density.
    """
    values, voxel_A = read_map_values(path)
    values = values - np.float32(np.median(values))
    top = float(values.max())
    inside = np.argwhere(values > EDGE * top)
    if not (math.isfinite(top) and top > 0 and len(inside) < 0.9 * values.size):
        raise UsageError(
            f"map {str(path)!r} has no molecule in it: expected finite values, bright on an even background"
        )
    volume_A3 = len(inside) * float(np.prod(voxel_A))
    spacing_A = max(FINEST_A, (2 * volume_A3 / MAX_GAUSSIANS) ** (1 / 3))
    factors = [max(1, round(spacing_A / side_A)) for side_A in voxel_A]
    low, high = inside.min(axis=0), inside.max(axis=0) + 1
    binned = _binned(values[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], factors)
    pitch_A = np.array(factors) * voxel_A
    weight = _interpolating_weights(binned)
    used = np.argwhere(np.abs(weight) > EDGE / 10 * weight.max())
    solid = binned > 0.5 * float(np.vdot(binned, binned) / binned.sum())
    mass_kDa = float(solid.sum() * np.prod(pitch_A)) / (LOOSE * PROTEIN_A3_PER_KDA)
    return make_molecule(
        path.stem,
        (used * pitch_A)[:, ::-1],
        SMOOTH * float(np.mean(pitch_A)),
        weight[tuple(used.T)],
        family="map",
        mass_kDa=mass_kDa,
        how=f"{len(used)} Gaussians every {np.mean(pitch_A):.1f} A through a map; mass from its volume",
    )


def read_coordinates(path: Path) -> Molecule:
    """Make a molecule from the first model of a PDB or mmCIF file, as deposited (no assembly is built).

    Hydrogens and waters are left out. Atoms in one cell of a 3 A lattice (coarser for what would
    give too many) become one Gaussian with their mass, mean place and spread.

    Raises
    ------
    UsageError
        Unreadable, too large, or without atoms.
    """
    places_A, masses_Da = _atoms(path)
    if not len(places_A):
        raise UsageError(f"coordinates {str(path)!r} hold no atoms other than hydrogens and waters")
    if not np.isfinite(places_A).all() or np.abs(places_A - np.median(places_A, axis=0)).max() > MAX_REACH_A:
        raise UsageError(
            f"coordinates {str(path)!r} are not finite or lie further apart than {MAX_REACH_A:.0f} A"
        )
    spacing_A = FINEST_A
    while True:
        _, cell, counts = np.unique(
            np.floor(places_A / spacing_A).astype(np.int64), axis=0, return_inverse=True, return_counts=True
        )
        if len(counts) <= MAX_GAUSSIANS:
            break
        spacing_A *= 1.2
    cell = cell.ravel()
    weight = np.bincount(cell, masses_Da)
    centres_A = np.stack([np.bincount(cell, masses_Da * x) for x in places_A.T], axis=1) / weight[:, None]
    spread = ((places_A - centres_A[cell]) ** 2).mean(axis=1)
    sigma_A = np.sqrt(np.bincount(cell, masses_Da * spread) / weight + 1)  # 1 A: an atom itself
    return make_molecule(
        path.stem,
        centres_A,
        sigma_A,
        weight,
        family="coordinates",
        mass_kDa=float(HYDROGEN * weight.sum() / 1000),
        how=f"{len(weight)} Gaussians from {len(places_A)} atoms in cells of {spacing_A:.1f} A",
    )


def _binned(values: NDArray[np.float32], factors: list[int]) -> NDArray[np.float32]:
    """Average blocks of voxels, with three empty blocks around."""
    values = np.pad(values, [(0, -side % f) for side, f in zip(values.shape, factors, strict=True)])
    z, y, x = (side // f for side, f in zip(values.shape, factors, strict=True))
    blocks = values.reshape(z, factors[0], y, factors[1], x, factors[2])
    return np.pad(blocks.mean(axis=(1, 3, 5), dtype=np.float32), 3)


def _interpolating_weights(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return weights of lattice Gaussians of width ``SMOOTH`` whose sum takes these values."""
    spectrum: Any = scipy.fft.rfftn(values)
    for axis, side in enumerate(values.shape):
        steps = np.minimum(np.arange(side), side - np.arange(side))
        transfer = scipy.fft.fft(np.exp(-0.5 * (steps / SMOOTH) ** 2)).real[: spectrum.shape[axis]]
        spectrum /= np.expand_dims(transfer / transfer[0], [other for other in range(3) if other != axis])
    return np.asarray(scipy.fft.irfftn(spectrum, values.shape), np.float32)


def _atoms(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ``(n, 3)`` places in angstroms and ``(n,)`` masses in daltons times occupancies."""
    try:
        length = path.stat().st_size
        if length > MAX_COORDINATE_BYTES:
            raise UsageError(
                f"coordinates {str(path)!r} have {length} bytes; at most {MAX_COORDINATE_BYTES} are read"
            )
        structure = gemmi.read_structure(str(path))
    except (OSError, ValueError, RuntimeError, LookupError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"coordinates {str(path)!r} cannot be read: {brief(error)}") from error
    structure.remove_hydrogens()
    structure.remove_waters()
    rows = [
        (*site.atom.pos.tolist(), site.atom.element.weight * site.atom.occ)
        for site in (structure[0].all() if len(structure) else ())
        if site.atom.occ > 0
    ]
    table = np.array(rows, np.float64).reshape(-1, 4)
    return table[:, :3], table[:, 3]
