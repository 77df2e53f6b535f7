"""The molecules that come with the package, and those a person brings as a file."""

import json
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

from safetensors import safe_open

from cryopick_ray.errors import UsageError, brief
from cryopick_ray.simulate.analytic import analytic_molecules
from cryopick_ray.simulate.molecule import Molecule, make_molecule
from cryopick_ray.simulate.molecule_files import COORDINATE_SUFFIXES, MAP_SUFFIXES, read_coordinates, read_map

FITTED = "molecules.safetensors"


@cache
def list_molecules() -> tuple[Molecule, ...]:
    """Return all built-in molecules, lightest first."""
    return tuple(
        sorted((*_fitted_molecules(), *analytic_molecules()), key=lambda molecule: molecule.mass_kDa)
    )


def load_molecule(name_or_path: str | Path) -> Molecule:
    """Return a built-in molecule, or make one from a file.

    Parameters
    ----------
    name_or_path
        Name, PDB id or alias of a built-in molecule in any case; else the path of an MRC map or of a
        PDB or mmCIF file, known by its suffix.

    Raises
    ------
    UsageError
        No such molecule or file, or a file that cannot be used; the message lists what is allowed.
    """
    wanted = str(name_or_path).lower()
    for molecule in list_molecules():
        if wanted in (molecule.name, *molecule.aliases):
            return molecule
    path = Path(name_or_path)
    suffix = path.suffix.lower()
    if suffix in MAP_SUFFIXES:
        return read_map(path)
    if suffix in COORDINATE_SUFFIXES:
        return read_coordinates(path)
    names = ", ".join(molecule.name for molecule in list_molecules())
    raise UsageError(
        f"no molecule {brief(str(name_or_path))}: expected one of {names}; or an unpacked map "
        f"({' '.join(MAP_SUFFIXES)}) or coordinates ({' '.join(COORDINATE_SUFFIXES)}) (`molecules`)"
    )


def _fitted_molecules() -> list[Molecule]:
    """Read the shipped file: one ``(k, 5)`` tensor a molecule (x, y, z, sigma in angstroms; weight)."""
    with as_file(files("cryopick_ray.simulate") / FITTED) as path, safe_open(path, framework="numpy") as file:
        cards = json.loads(file.metadata()["molecules"])
        tensors = {card["name"]: file.get_tensor(card["name"]) for card in cards}
    return [
        make_molecule(card.pop("name"), gaussians[:, :3], gaussians[:, 3], gaussians[:, 4], **card)
        for card, gaussians in zip(cards, list(tensors.values()), strict=True)
    ]
