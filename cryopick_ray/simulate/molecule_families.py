"""Broad families of the built-in molecules: similar ones are left out together in folds."""

from collections.abc import Mapping
from functools import cache

from cryopick_ray.simulate.library import family_by_molecule

BROAD: Mapping[str, tuple[str, ...]] = {
    "globular": ("globular", "bilobed", "clamp", "leaf", "tetramer", "enzyme"),
    "lobed": ("y-shape", "v-dimer", "dumbbell", "tripod", "chaperone", "solenoid"),
    "elongated": ("spindle", "rod", "bent-rod", "knobbed-rod", "superhelix"),
    "rings": (
        *("ring", "double-ring", "stacked-rings", "ring-pair", "open-ring", "c-shape"),
        *("aaa-atpase", "propeller", "disc"),
    ),
    "hollow": ("shell", "barrel", "proteasome", "synthase"),
    "capsids": ("capsid", "virus", "empty-capsid", "large-virus"),
    "ribosomes": ("ribosome",),
    "nucleic": ("nucleosome", "polymerase", "rna-guided"),
    "membrane": ("micelle", "micelle-two-sided", "nanodisc", "nanodisc-two-lobed"),
}
"""Kinds of molecules (:attr:`~cryopick_ray.simulate.molecule.Molecule.family`) in each broad family."""


def broad_family(molecule: str) -> str:
    """Return the broad family of a built-in molecule; any other is its own family."""
    return _family_by_molecule().get(molecule, molecule)


@cache
def _family_by_molecule() -> dict[str, str]:
    of_kind = {kind: name for name, kinds in BROAD.items() for kind in kinds}
    return {name: of_kind.get(kind, name) for name, kind in family_by_molecule().items()}
