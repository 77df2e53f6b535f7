from collections import Counter
from pathlib import Path

from cryopick_ray.simulate.library import list_molecules
from cryopick_ray.simulate.molecule_families import BROAD, broad_family


def test_every_built_in_molecule_is_in_one_broad_family_and_each_has_several():
    kinds = Counter(kind for some in BROAD.values() for kind in some)
    assert set(kinds.values()) == {1}
    assert kinds.keys() == {molecule.family for molecule in list_molecules()}
    counts = Counter(broad_family(molecule.name) for molecule in list_molecules())
    assert counts.keys() == BROAD.keys()
    assert min(counts.values()) >= 3


def test_a_molecule_that_a_person_brings_is_its_own_family():
    assert broad_family("of-mine") == "of-mine"


def test_the_docs_list_the_families_as_they_are():
    page = (Path(__file__).resolve().parents[2] / "docs" / "guides" / "comparison.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    listed = {row[0]: set(row[1].split(", ")) for row in rows if row[0] in BROAD and len(row) == 2}
    assert listed == {
        name: {molecule.name for molecule in list_molecules() if broad_family(molecule.name) == name}
        for name in BROAD
    }
