from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_sources import manifest_row, names

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.training.data.labels import labelled_rows, matches, read_labels
from cryopick_ray.training.data.splits import Split, check
from cryopick_ray.training.training_settings import DataSettings

MANIFEST = {name: manifest_row(name) for name in ("a.mrc", "b.mrc", "sub/c.mrc")}


def star(path, centres):
    lines = ["data_", "", "loop_", "_rlnCoordinateX #1", "_rlnCoordinateY #2"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, *(f"{x} {y}" for x, y in centres), ""]))


def settings(labels, **changes):
    given = {"name": "apo", "micrographs": ("*.mrc",), "labels": labels, "diameter_A": 40}
    return DataSettings.model_validate(given | changes)


def rows(labels, manifest=MANIFEST, **changes):
    own = settings(labels, **changes)
    return labelled_rows(own, read_labels(own, manifest), "store", manifest)


@pytest.fixture
def labels(tmp_path):
    star(tmp_path / "labels" / "a.star", [(10.5, 20.25), (199, 99)])
    star(tmp_path / "labels" / "sub" / "c.star", [(0, 0)])
    return tmp_path / "labels"


def test_micrographs_with_labels_are_used_and_the_others_not(labels):
    found = rows(labels)
    assert names(found) == ["a.mrc", "sub/c.mrc"]
    np.testing.assert_array_equal(found[0].particles, np.float32([[10.5, 20.25], [199, 99]]))
    assert found[0].particles.dtype == np.float32
    first = found[0]
    assert (first.store_url, first.row, first.dataset) == ("store", MANIFEST["a.mrc"], "apo")
    assert (first.diameter_A, first.radius_A, first.sign) == (40, 20, 1)
    assert first.false.shape == first.unsure.shape == (0, 2)


def test_brighter_particles_and_another_radius(labels):
    one = rows(labels, invert=True, radius_A=7)[0]
    assert (one.sign, one.radius_A) == (-1, 7)


def test_excluded_and_failed_micrographs_are_left_out_without_complaint(labels):
    assert names(rows(labels, exclude=("sub/*",))) == ["a.mrc"]
    failed = MANIFEST | {"a.mrc": manifest_row("a.mrc", status="failed")}
    assert names(rows(labels, failed)) == ["sub/c.mrc"]


def test_nothing_left_is_an_error(labels):
    with pytest.raises(UsageError, match="no micrograph of data set apo has labels"):
        rows(labels, exclude=("*",))


def test_that_nothing_could_be_read_is_told_with_the_reason(labels):
    reason = "the file does not say its pixel size; give it in angstroms with `pixel_size_A`"
    failed = {name: replace(row, status="failed", reason=reason) for name, row in MANIFEST.items()}
    with pytest.raises(UsageError, match=r"none of the 2 labelled .*a\.mrc: .* with pixel_size_A") as caught:
        rows(labels, failed)
    assert "`" not in str(caught.value)


@given(
    x=st.floats(-3, 203, width=32),
    y=st.floats(-3, 103, width=32),
)
def test_labels_must_lie_in_their_micrograph(tmp_path_factory, x, y):
    folder = tmp_path_factory.mktemp("labels")
    star(folder / "a.star", [(50, 50), (x, y)])
    if -0.5 <= x <= 199.5 and -0.5 <= y <= 99.5:
        assert len(rows(folder)[0].particles) == 2
    else:
        with pytest.raises(UsageError, match=r"1 labels of a\.mrc"):
            rows(folder)


def test_a_label_outside_is_named(labels):
    star(labels / "b.star", [(5, 5), (250.5, 17.25), (-40, 3)])
    with pytest.raises(UsageError, match=r"2 labels of b\.mrc .* 200 x 100 .* x 250\.5, y 17\.25"):
        rows(labels)


def test_false_picks_outside_are_refused_too(labels, tmp_path):
    star(tmp_path / "false" / "a.star", [(300, 5)])
    with pytest.raises(UsageError, match=r"1 labels of a\.mrc .*false.* x 300, y 5"):
        rows(labels, false_labels=tmp_path / "false")


@pytest.mark.parametrize("kind", ["labels", "false_labels"])
def test_labels_of_no_micrograph_are_refused(labels, tmp_path, kind):
    folder = labels if kind == "labels" else tmp_path / "false"
    for name in "wxyz":
        star(folder / f"{name}.star", [(1, 1)])
    with pytest.raises(UsageError, match=f"{folder}.*has labels of w, x, y and 1 more.*apo"):
        rows(labels, **({} if kind == "labels" else {kind: folder}))


def test_false_picks_go_to_their_micrograph(labels, tmp_path):
    star(tmp_path / "false" / "a.star", [(3, 4)])
    found = rows(labels, false_labels=tmp_path / "false")
    np.testing.assert_array_equal(found[0].false, [[3, 4]])
    assert found[1].false.shape == (0, 2)


def test_an_empty_table_says_there_are_no_particles(labels):
    star(labels / "b.star", [])
    empty = {row.row.micrograph_id: row for row in rows(labels)}["b.mrc"]
    assert empty.particles.shape == (0, 2)


def test_only_empty_tables_teach_nothing(tmp_path):
    star(tmp_path / "a.star", [])
    with pytest.raises(UsageError, match="none of the 1 micrographs to learn from has a labelled particle"):
        check(Split(tuple(rows(tmp_path)), (), ()))


@pytest.mark.parametrize("content", ["", "data_\n\nloop_\n_rlnCoordinateX #1\n", "\x00\x01garbage"])
def test_a_file_without_coordinates_is_refused(tmp_path, content):
    (tmp_path / "a.star").write_text(content)
    with pytest.raises((UsageError, PicksError), match=r"a\.star|holds no coordinates"):
        rows(tmp_path)


def test_coordinates_that_are_none_are_refused(tmp_path):
    star(tmp_path / "a.star", [("nan", 3)])
    with pytest.raises(PicksError, match="without finite coordinates"):
        rows(tmp_path)


@pytest.mark.parametrize("kind", ["labels", "false_labels"])
def test_labels_that_are_not_there(labels, tmp_path, kind):
    for missing in (tmp_path / "nowhere", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        folders = {"labels": labels} | {kind: missing}
        with pytest.raises(UsageError, match=f"(does not exist|no coordinates); give {kind} a folder"):
            rows(**folders)


def test_labels_are_read_before_anything_is_known_of_the_micrographs(labels):
    found = read_labels(settings(labels, exclude=("sub/*",)), ["x/a.mrc", "x/b.mrc", "sub/c.mrc"])
    assert found.names == {"x/a.mrc": "a"}
    assert found.false is None


def test_matches_any_of_the_globs():
    assert matches("sub/a.mrc", ["x", "sub/*"])
    assert matches("a.mrc", ["a.mrc"])
    assert not matches("A.mrc", ["a.*"])  # on any file system
    assert not matches("a.mrc", [])
