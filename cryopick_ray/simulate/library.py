"""Molecules by name: those of the package, and those of a person's files."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from safetensors import safe_open

from cryopick_ray.errors import UsageError, brief
from cryopick_ray.simulate.analytic import COMPOSITIONS
from cryopick_ray.simulate.filament_kinds import FILAMENTS, wind
from cryopick_ray.simulate.filling import fill
from cryopick_ray.simulate.helices import PREFIX, helix_of, parse_helix
from cryopick_ray.simulate.molecule import Molecule, make_molecule
from cryopick_ray.simulate.molecule_files import COORDINATE_SUFFIXES, MAP_SUFFIXES, read_coordinates, read_map

FITTED = "molecules.safetensors"


@cache
def list_molecules() -> tuple[Molecule, ...]:
    """Return all built-in molecules but filaments, lightest first."""
    return tuple(sorted(map(_built_in, _makers()), key=lambda molecule: molecule.mass_kDa))


@cache
def list_filaments() -> tuple[Molecule, ...]:
    """Return all built-in filaments, family by family, thinnest first."""
    return tuple(
        sorted(map(_filament, _filaments()), key=lambda filament: (filament.family, filament.diameter_A))
    )


@cache
def family_by_molecule() -> dict[str, str]:
    """Return the family of each built-in molecule but filaments, by name; none is made for it."""
    fitted = {card["name"]: card["family"] for card in _cards()}
    return fitted | {composition.name: composition.family for composition in COMPOSITIONS}


def own_name(molecule: str) -> str:
    """Return a built-in molecule's name for its alias; any other as it is."""
    return _aliases().get(molecule.lower(), molecule)


def molecule_name(name_or_path: str | Path) -> str:
    """Return the name of the molecule that :func:`load_molecule` returns; no built-in one is made for it."""
    name = own_name(str(name_or_path).lower())
    is_built_in = name in _makers() or name in _filaments()
    return name if is_built_in else load_molecule(name_or_path).name


def load_molecule(name_or_path: str | Path) -> Molecule:
    """Return a built-in molecule, or make one from a file.

    Parameters
    ----------
    name_or_path
        Name, PDB id or alias of a built-in molecule or filament in any case;
        ``helix:MOLECULE:RISE:TWIST`` for a filament wound of a molecule; else the path of an MRC map or
        of a PDB or mmCIF file, known by its suffix.

    Raises
    ------
    UsageError
        No such molecule or file, or a file that cannot be used; the message lists what is allowed.
    """
    key = str(name_or_path).lower()
    name = own_name(key)
    if name in _makers():
        return _built_in(name)
    if name in _filaments():
        return _filament(name)
    if key.startswith(PREFIX):
        molecule, rise_A, twist_deg = parse_helix(str(name_or_path))
        return helix_of(str(name_or_path), load_molecule(molecule), rise_A, twist_deg)
    path = Path(name_or_path)
    suffix = path.suffix.lower()
    if suffix in (*MAP_SUFFIXES, *COORDINATE_SUFFIXES):
        return _from_file(path, path.stat().st_mtime_ns if path.is_file() else 0)
    names = ", ".join((*_makers(), *_filaments()))
    raise UsageError(
        f"no molecule {brief(str(name_or_path))}: expected one of {names}; or an unpacked map "
        f"({' '.join(MAP_SUFFIXES)}) or coordinates ({' '.join(COORDINATE_SUFFIXES)}); or a helix of one of "
        f"them, {PREFIX}MOLECULE:RISE:TWIST (`molecules`)"
    )


@cache
def _from_file(path: Path, _mtime_ns: int) -> Molecule:
    """Read a molecule's file, once as long as it does not change: many data sets are of one."""
    return read_map(path) if path.suffix.lower() in MAP_SUFFIXES else read_coordinates(path)


@cache
def _built_in(name: str) -> Molecule:
    """Make one built-in molecule, once: to make all takes a second."""
    return _makers()[name]()


@cache
def _makers() -> dict[str, Callable[[], Molecule]]:
    """Return functions that make the built-in molecules, by name."""
    makers: dict[str, Callable[[], Molecule]] = {card["name"]: partial(_fitted, card) for card in _cards()}
    makers.update((composition.name, partial(fill, composition)) for composition in COMPOSITIONS)
    return makers


@cache
def _filament(name: str) -> Molecule:
    """Make one built-in filament, once."""
    return _filaments()[name]()


@cache
def _filaments() -> dict[str, Callable[[], Molecule]]:
    """Return functions that make the built-in filaments, by name."""
    return {composition.name: partial(wind, composition) for composition in FILAMENTS}


@cache
def _aliases() -> dict[str, str]:
    return {alias: card["name"] for card in _cards() for alias in card["aliases"]}


@cache
def _cards() -> list[dict[str, Any]]:
    """Return the metadata of the molecules in the shipped file."""
    with _fitted_file() as file:
        cards: list[dict[str, Any]] = json.loads(file.metadata()["molecules"])
    return cards


def _fitted(card: dict[str, Any]) -> Molecule:
    """Read one ``(k, 5)`` tensor of the shipped file (x, y, z, sigma in angstroms; weight)."""
    with _fitted_file() as file:
        gaussians = file.get_tensor(card["name"])
    return make_molecule(centres_A=gaussians[:, :3], sigma_A=gaussians[:, 3], weight=gaussians[:, 4], **card)


@contextmanager
def _fitted_file() -> Iterator[Any]:
    with as_file(files("cryopick_ray.simulate") / FITTED) as path, safe_open(path, framework="numpy") as file:
        yield file
