"""Which micrographs of several runs are the same, and how their picks are read beside each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import PicksError
from cryopick_ray.evaluation.alike import common_names, side_by_side

names = st.lists(
    st.sampled_from([f"{folder}{n}.mrc" for folder in ("", "s/") for n in range(6)]), unique=True
)


@given(st.lists(names, min_size=2, max_size=4))
def test_equal_ids_are_one_micrograph_and_no_two_of_a_run_are(runs):
    found = common_names(runs)
    for own, ids in zip(found, runs, strict=True):
        assert list(own) == ids
        assert len(set(own.values())) == len(ids)
    if all(set(ids) == set(runs[0]) for ids in runs):
        assert all(name == micrograph_id for names in found for micrograph_id, name in names.items())


def test_other_folders_and_other_images_of_an_exposure_are_one():
    found = common_names([["m/a.mrc", "m/b.mrc"], ["Movies/b_DW.mrc", "a.tif", "c.mrc"]])
    assert found[1] == {"Movies/b_DW.mrc": "m/b.mrc", "a.tif": "m/a.mrc", "c.mrc": "c.mrc"}


def test_folders_decide_between_several_or_the_doubt_is_told():
    found = common_names([["s1/a.mrc", "s2/a.mrc"], ["x/s1/a.mrc", "x/s2/a.mrc"]])
    assert found[1] == {"x/s1/a.mrc": "s1/a.mrc", "x/s2/a.mrc": "s2/a.mrc"}
    with pytest.raises(PicksError, match="same folders"):
        common_names([["s1/a.mrc", "s2/a.mrc"], ["a.mrc"]])
    with pytest.raises(PicksError, match="same folders"):
        common_names([["a.mrc"], ["s1/a.mrc", "s2/a.mrc"]])


@given(st.lists(names, min_size=2, max_size=3), st.randoms(use_true_random=False))
def test_every_micrograph_comes_once_with_all_that_have_it_in_whatever_order(make_picks, runs, random):
    for ids in runs:
        random.shuffle(ids)
    own = [{micrograph_id: micrograph_id for micrograph_id in ids} for ids in runs]
    found = dict(side_by_side([[make_picks(micrograph_id, 0) for micrograph_id in ids] for ids in runs], own))
    assert len(found) == len({micrograph_id for ids in runs for micrograph_id in ids})
    for name, entries in found.items():
        assert [entry if entry is None else entry.micrograph.micrograph_id for entry in entries] == [
            name if name in ids else None for ids in runs
        ]


def test_runs_in_one_order_are_read_abreast(make_picks):
    read = []

    def stream(ids):
        for micrograph_id in ids:
            read.append(micrograph_id)
            yield make_picks(micrograph_id, 0)

    every = [f"{n:03}.mrc" for n in range(100)]
    some = every[::7]
    ahead = 0
    own = [{micrograph_id: micrograph_id for micrograph_id in ids} for ids in (every, some)]
    for done, _ in enumerate(side_by_side([stream(every), stream(some)], own), 1):
        ahead = max(ahead, len(set(read)) - done)
    assert ahead <= 2
