import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import UsageError
from cryopick_ray.suite.bins import Bins, parts

NUMBERS = {"a": 1.29, "b": 1.55, "c": 2.0, "d": 2.4, "e": 2.6}


@pytest.fixture
def values(tmp_path):
    path = tmp_path / "defocus.csv"
    path.write_text("".join(f"{name}.png,{number}\n" for name, number in NUMBERS.items()))
    return path


def named(values, edges, ids="abcde", **more):
    bins = Bins(values=values, name="defocus", edges=edges, **more)
    found = parts(bins, (f"square/{micrograph_id}.png" for micrograph_id in ids))
    return {part.name: "".join(sorted(name[7] for name in part.micrograph_ids)) for part in found}


def test_the_outer_bins_own_their_edges(values):
    assert named(values, [1.55, 2.4], unit="um") == {
        "defocus <= 1.55 um": "ab",
        "defocus 1.55-2.4 um": "c",
        "defocus >= 2.4 um": "de",
    }
    assert named(values, [2.0]) == {"defocus <= 2": "abc", "defocus > 2": "de"}


def test_bins_without_micrographs_are_no_parts(values):
    assert list(named(values, [1, 1.2, 2.5])) == ["defocus 1.2-2.5", "defocus >= 2.5"]


@given(
    edges=st.lists(st.sampled_from([0.5, 1.29, 1.5, 1.55, 2.0, 2.2, 2.4, 2.6, 3.0]), min_size=1, unique=True)
)
def test_each_micrograph_is_in_one_part_and_parts_rise(tmp_path_factory, edges):
    path = tmp_path_factory.mktemp("bins") / "n.csv"
    path.write_text(
        "micrograph,defocus\n" + "".join(f"{name},{number}\n" for name, number in NUMBERS.items())
    )
    assert "".join(named(path, sorted(edges)).values()) == "abcde"


def test_a_micrograph_without_a_number_and_a_line_without_one_are_named(values, tmp_path):
    with pytest.raises(UsageError, match=r"no number of square/f\.png"):
        named(values, [2], ids="f")
    (tmp_path / "bad.csv").write_text("a.png,1\nb.png,two\n")
    with pytest.raises(UsageError, match=r"b\.png,two"):
        named(tmp_path / "bad.csv", [2], ids="a")
    with pytest.raises(UsageError, match=r"bins\.values"):
        named(tmp_path / "none.csv", [2])


def test_edges_rise(values):
    with pytest.raises(ValueError, match="expected rising"):
        Bins(values=values, name="defocus", edges=[2, 1])
