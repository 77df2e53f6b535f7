import os
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.evaluation.truth import Truth, read_truth
from cryopick_ray.formats import reading
from cryopick_ray.formats.export_paths import bare_name

HEADER = "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n"
NAMED = "data_particles\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_star_file_holds_the_micrograph_it_is_named_after(tmp_path):
    write(tmp_path, "a.star", HEADER + "1.5\t2.5\n3\t4\n")
    write(tmp_path, "deep/b.mrc.star", HEADER + "5 6\n")
    write(tmp_path, "c_manualpick.star", HEADER)
    found = read_truth(tmp_path)
    assert {name: centres.tolist() for name, centres in found.particles.items()} == {
        "a": [[1.5, 2.5], [3, 4]],
        "deep/b": [[5, 6]],
        "c": [],
    }
    assert all(centres.shape[1:] == (2,) for centres in found.particles.values())


def test_one_star_file_may_hold_many_micrographs(tmp_path):
    optics = "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnVoltage #2\n1 300\n\n"
    path = write(tmp_path, "particles.star", optics + NAMED + "m/007.mrc 1 2\nm/b.mrc 3 4\nm/007.mrc 5 6\n")
    for source in (tmp_path, path):
        found = read_truth(source).particles
        assert {name: centres.tolist() for name, centres in found.items()} == {
            "m/007": [[1, 2], [5, 6]],
            "m/b": [[3, 4]],
        }


def test_box_lines_are_corner_and_size(tmp_path):
    write(tmp_path, "a.box", "10\t20\t8\t4\t0.7\n\n-3 5.5 0 0\n")
    assert read_truth(tmp_path).particles["a"].tolist() == [[14, 22], [-3, 5.5]]


def test_star_files_without_coordinates_are_noted(tmp_path):
    write(tmp_path, "a.star", HEADER + "1 2\n")
    write(tmp_path, "job.star", "data_job\n\n_rlnJobTypeLabel relion.autopick\n")
    found = read_truth(tmp_path)
    assert list(found.particles) == ["a"]
    assert "job.star" in found.notes[0]


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("a.box", "1 2 3 4\nsixty 2 3 4\n", "line 2"),
        ("a.box", "1 2 3\n", "line 1 has 3 fields"),
        ("a.box", "nan 2 3 4\n", "finite"),
        ("a.box", "1 2 -3 4\n", "at least 0"),
        ("a.star", HEADER + "1 two\n", "two"),
        ("a.star", HEADER + "1 2\n3\n", "line 7 has 1 words"),
        ("a.star", HEADER + "1 2\n3 4 5\n", "line 7 has 3 words"),
        ("a.star", HEADER + "1 inf\n", "finite"),
        ("a.star", HEADER.replace("Y", "X") + "1 2\n", "line 5 repeats rlnCoordinateX"),
        ("a.star", "", "no STAR block"),
        ("a.star", "no star at all\n", "no STAR block"),
    ],
)
def test_a_malformed_file_is_named(tmp_path, name, text, word):
    write(tmp_path, name, text)
    with pytest.raises((PicksError, UsageError), match=word) as caught:
        read_truth(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "a.box").write_bytes(b"\xff\xfe\x00 1 2 3 4")
    with pytest.raises(PicksError, match=r"a\.box"):
        read_truth(tmp_path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from([".star", ".box"]), st.booleans())
def test_any_bytes_give_coordinates_or_an_error_for_a_person(tmp_path, content, suffix, with_header):
    path = tmp_path / f"fuzz{suffix}"
    path.write_bytes((HEADER.encode() if with_header else b"") + content)
    try:
        found = read_truth(path)
    except (PicksError, UsageError):
        return
    assert all(np.isfinite(centres).all() for centres in found.particles.values())


def test_huge_files_are_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_BYTES", 20)
    write(tmp_path, "a.star", HEADER + "1 2\n")
    with pytest.raises(PicksError, match="at most 20"):
        read_truth(tmp_path)


def test_a_micrograph_in_two_files_is_refused(tmp_path):
    write(tmp_path, "a.star", HEADER + "1 2\n")
    write(tmp_path, "all.star", NAMED + "a 1 2\n")
    with pytest.raises(PicksError, match=r"all\.star and .*a\.star both hold the particles of 'a'"):
        read_truth(tmp_path)


def test_a_micrograph_under_two_names_is_refused(tmp_path):
    write(tmp_path, "a.star", HEADER + "1 2\n")
    write(tmp_path, "a.mrc.star", HEADER + "1 2\n")
    with pytest.raises(PicksError, match="'a' under two names"):
        read_truth(tmp_path)


def test_missing_empty_and_foreign_truth_names_the_option(tmp_path):
    for source in (tmp_path / "nowhere", tmp_path, write(tmp_path, "a.csv", "a,b\n")):
        with pytest.raises(UsageError, match=r"`truth`|convert"):
            read_truth(source)


def test_a_pipe_is_not_waited_for(tmp_path):
    write(tmp_path, "a.star", HEADER + "1 2\n")
    os.mkfifo(tmp_path / "b.star")
    assert list(read_truth(tmp_path).particles) == ["a"]


@pytest.mark.parametrize(
    ("micrograph_id", "name"),
    [("x.mrc", "x"), ("a/b/x.mrc.gz", "x"), ("x_1.5.tif", None), ("y.mrc", None), ("two/z.mrc", "two/z"),
     ("set/two/z.MRC", "two/z"), ("one/z.mrc", "s/one/z")],
)  # fmt: skip
def test_micrographs_are_known_by_stem_then_by_folder(tmp_path, micrograph_id, name):
    known = Truth(tmp_path, dict.fromkeys(("x", "s/one/z", "two/z", "xx"), np.empty((0, 2))), ())
    assert known.name_of(micrograph_id) == name


def test_cryosparcs_numbers_are_no_part_of_a_name(tmp_path):
    known = Truth(tmp_path, {bare_name(f"J1/{'0' * 21}_x.mrc"): np.empty((0, 2))}, ())
    assert known.name_of("x.mrc") == known.name_of(f"J9/{'1' * 21}_x.mrc") == "J1/x"


def test_another_image_of_the_exposure_will_do_where_there_is_no_stem(tmp_path):
    for name in ("a_patch_aligned_doseweighted", "b_1.5", "d_DW", "d"):
        write(tmp_path, f"{name}.box", "1 2 8 8\n")
    truth = read_truth(tmp_path)
    names = {one: truth.name_of(one) for one in ("m/a.mrc", "a_DW.mrc", "b_1.mrc", "d.tif", "c.mrc")}
    assert names == {
        "m/a.mrc": "a_patch_aligned_doseweighted",
        "a_DW.mrc": "a_patch_aligned_doseweighted",
        "b_1.mrc": None,
        "d.tif": "d",
        "c.mrc": None,
    }
    with pytest.raises(PicksError, match=r"'d_EVN.mrc' may be 'd' or 'd_DW'"):
        truth.name_of("d_EVN.mrc")


def test_an_ambiguous_stem_is_refused(tmp_path):
    known = Truth(tmp_path, dict.fromkeys(("one/z", "two/z"), np.empty((0, 2))), ())
    with pytest.raises(PicksError, match=r"one/z.*two/z"):
        known.name_of("z.mrc")


@pytest.mark.parametrize("name", ["a/x_1.5", "x.frames", "x"])
def test_dots_in_a_name_are_not_an_extension(name):
    assert bare_name(f"{name}.mrc.bz2") == bare_name(f"{name}.tiff") == bare_name(name) == name


def test_real_label_files_are_read(real_data):
    for folder in ("apoferritin-10146", "betagal-10017"):
        found = read_truth(real_data / folder)
        assert {f"{name}.mrc" for name in found.particles} == {
            path.name for path in (real_data / folder).glob("*.mrc")
        }
        assert min(map(len, found.particles.values())) > 100


@pytest.mark.parametrize("broken", ["2d_corrupt_has_string.box", "2d_corrupt_unqual_columns.box"])
def test_real_broken_box_files_are_named(real_data, tmp_path, broken):
    shutil.copy(real_data / "formats" / "box" / broken, tmp_path)
    with pytest.raises(PicksError, match=broken):
        read_truth(tmp_path)


def test_real_box_files_of_one_particle_set_agree(real_data, tmp_path):
    for name in ("2d_left.box", "2d_center.box", "2d_empty.box"):
        shutil.copy(real_data / "formats" / "box" / name, tmp_path)
    found = read_truth(tmp_path).particles
    np.testing.assert_array_equal(found["2d_left"], found["2d_center"])
    assert len(found["2d_empty"]) == 0


def test_published_picks_are_centred_on_the_labels(real_data):
    # the boxes are on the unbinned frames, the labels on frames binned by two
    labels = read_truth(real_data / "betagal-10017").particles
    for name, centres in read_truth(real_data / "formats" / "repic-box" / "crYOLO").particles.items():
        binned = (centres + 0.5) / 2 - 0.5
        distance = np.linalg.norm(binned[:, None] - labels[name][None], axis=2)
        shift = (binned - labels[name][distance.argmin(axis=1)])[distance.min(axis=1) < 15]
        assert np.abs(shift.mean(axis=0)).max() < 3
