from collections import Counter

from cryopick_ray.simulate.families import BROAD, broad_family
from cryopick_ray.simulate.library import list_molecules


def test_every_built_in_molecule_is_in_one_broad_family_and_each_has_several():
    kinds = Counter(kind for some in BROAD.values() for kind in some)
    assert set(kinds.values()) == {1}
    assert kinds.keys() == {one.family for one in list_molecules()}
    counts = Counter(broad_family(one.name) for one in list_molecules())
    assert counts.keys() == BROAD.keys()
    assert min(counts.values()) >= 3


def test_a_molecule_that_a_person_brings_is_its_own_family():
    assert broad_family("of-mine") == "of-mine"
