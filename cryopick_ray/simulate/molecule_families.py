"""The built-in molecules in a few broad families: what looks alike is left out together."""

from collections.abc import Mapping
from functools import cache

from cryopick_ray.simulate.library import list_molecules

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
"""Which kinds of molecules (:attr:`~cryopick_ray.simulate.molecule.Molecule.family`) each holds."""


def broad_family(molecule: str) -> str:
    """Return the broad family of a built-in molecule; any other is its own family."""
    return _known().get(molecule, molecule)


@cache
def _known() -> dict[str, str]:
    of_kind = {kind: name for name, kinds in BROAD.items() for kind in kinds}
    return {one.name: of_kind.get(one.family, one.name) for one in list_molecules()}
