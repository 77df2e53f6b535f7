"""Optional columns of picks: through the files of other programs and back."""

from dataclasses import replace

import numpy as np
import pytest
import starfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryopick_ray.errors import PicksError
from cryopick_ray.evaluation.external_picks import as_picks
from cryopick_ray.formats.column_names import IN_FILES, in_file, in_pixels, is_known
from cryopick_ray.formats.convert import CoordinateFrame, convert
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.format_table import FORMATS, export
from cryopick_ray.formats.reading import read_coordinates
from cryopick_ray.picks.columns import COLUMNS, in_angstroms

HOLD_SOME = [
    form.name for form in FORMATS.values() if form.read and form.write and form.looks_like and form.columns
]
PIXEL_A = 1.5

lengths = st.floats(20, 500, width=32) | st.just(np.nan)
VALUES = {
    "size_A": lengths,
    "box_w_A": lengths,
    "box_h_A": lengths,
    "angle_deg": st.floats(-360, 360, width=32) | st.just(np.nan),
    "view": st.integers(-1, 900),
    "class_number": st.just(-1) | st.integers(1, 10**6),
    "votes": st.integers(0, 255),
    "source": st.sampled_from(["", "topaz", "by hand", "=1+1", 'a "b", c']),
}


@st.composite
def columns(draw, n):
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True))
    return {name: np.array([draw(VALUES[name]) for _ in range(n)], COLUMNS[name].dtype) for name in names}


def expected(format, n, own, whole):
    """Return what a micrograph's columns are once they went through a format."""
    held = {name: values for name, values in own.items() if in_file(name) in FORMATS[format].columns}
    if format == "cbox":  # one size of a particle: its box, else what it measures
        for name in ("box_w_A", "box_h_A"):
            box, size = (own.get(record, COLUMNS[record].unknown(n)) for record in (name, "size_A"))
            held[name] = np.where(np.isnan(box), size, box)
        held.pop("size_A", None)
    if format == "cs":  # 0 is both the first template and none
        for name in held:
            zeros = [
                np.where(is_known(name, record[name]), record[name], 0) for record in whole if name in record
            ]
            held[name] = np.where(is_known(name, held[name]), held[name], 0)
            if not any(zero.any() for zero in zeros):
                held[name] = COLUMNS[name].unknown(n)
    return {name: record for name, record in held.items() if is_known(in_file(name), record).any()}


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns(4), columns(3), st.sampled_from(HOLD_SOME))
def test_columns_come_back_from_files_that_hold_them_and_others_are_told(
    tmp_path_factory, make_picks, first, second, format
):
    out, told = tmp_path_factory.mktemp("out"), []
    micrographs = [("a", 4, first), ("b", 3, second)]
    picks = [replace(make_picks(f"{name}.mrc", n, picked=n), more=own) for name, n, own in micrographs]
    export(picks, format, out, ExportSettings(out, say=told.append))
    read = as_picks(read_coordinates(out).coordinates, pixel_size_A=PIXEL_A, diameter_A=120)
    found = {
        coordinates.micrograph.micrograph_id.removesuffix(".mrc")[-1]: coordinates.more
        for coordinates in read
    }
    for name, n, own in micrographs:
        for column, values in expected(format, n, own, (first, second)).items():
            if values.dtype.kind == "f":
                np.testing.assert_allclose(found[name][column], values, rtol=2e-6, atol=1e-6)
            else:
                np.testing.assert_array_equal(found[name][column], values)
    known = {
        in_file(name)
        for own in (first, second)
        for name, values in own.items()
        if is_known(in_file(name), values).any()
    }
    words = " ".join(told)
    assert {name for name in IN_FILES if name in words} >= known - FORMATS[format].columns


@given(columns(5), st.floats(0.25, 20, width=32))
def test_pixels_are_angstroms_by_the_pixel_size(own, pixel_size_A):
    in_px = in_pixels(own, pixel_size_A)
    assert {*in_px} <= IN_FILES.keys()
    back = in_angstroms(in_px, pixel_size_A)
    assert back.keys() == own.keys()
    for name, values in own.items():
        assert back[name].dtype == values.dtype
        if values.dtype.kind == "f":
            np.testing.assert_allclose(back[name], values, rtol=1e-6)
        else:
            np.testing.assert_array_equal(back[name], values)


def test_a_csv_has_a_column_for_each_that_is_known_of_any(tmp_path, make_picks):
    first, second = (make_picks(f"{name}.mrc", 2, picked=2) for name in "ab")
    views, none = np.int16([3, -1]), np.float32([np.nan, np.nan])
    second = replace(second, more={"view": views, "size_A": none, "votes": np.uint8([2, 0])})
    export([first, second], "csv", tmp_path)
    head, *rows = (tmp_path / "picks.csv").read_text().splitlines()
    assert head == "micrograph_id,x_px,y_px,score,diameter_A,view,votes"
    assert [row.split(",")[5:] for row in rows] == [["", ""], ["", ""], ["3", "2"], ["", ""]]


@pytest.mark.parametrize(("column", "value"), [("view", "1.5"), ("view", "70000"), ("votes", "-1")])
def test_a_csv_with_no_such_number_is_refused_with_its_line(tmp_path, column, value):
    (tmp_path / "p.csv").write_text(f"micrograph_id,x_px,y_px,{column}\nx,1,2,3\nx,1,2,{value}\n")
    with pytest.raises(PicksError, match=f"line 3.*{column}"):
        read_coordinates(tmp_path / "p.csv")


def test_numbers_beyond_a_column_are_not_known(tmp_path):
    (tmp_path / "x.cbox").write_text("1 2 8 8 0.5 1e39 9\n")
    (tmp_path / "p.csv").write_text("micrograph_id,x_px,y_px,size_px\nx,1,2,1e39\nx,1,2,7\n")
    (cbox,) = read_coordinates(tmp_path / "x.cbox").coordinates
    assert list(cbox.known) == ["box_h_px"]
    (csv,) = read_coordinates(tmp_path / "p.csv").coordinates
    assert csv.known["size_px"].tolist() == pytest.approx([np.nan, 7], nan_ok=True)


def test_lengths_follow_the_pixels_they_are_counted_in(tmp_path, make_picks):
    size_A = np.float32([90, 120, 150])
    picks = replace(make_picks("a.mrc", 3, picked=3), more={"size_A": size_A, "view": np.int16([1, 2, 3])})
    export([picks], "csv", tmp_path / "one")
    convert(tmp_path / "one", "csv", tmp_path / "two", frame=CoordinateFrame(binning=0.5))
    (found,) = as_picks(read_coordinates(tmp_path / "two").coordinates, pixel_size_A=3.0, diameter_A=120)
    np.testing.assert_allclose(found.more["size_A"], size_A, rtol=1e-5)
    assert found.more["view"].tolist() == [1, 2, 3]


def test_a_starfile_has_class_and_angle_beside_the_score(tmp_path, make_picks):
    more = {"class_number": np.int32([4, -1, 2]), "angle_deg": np.float32([12.5, np.nan, -90])}
    picks = [make_picks("b.mrc", 2), replace(make_picks("a.mrc", 3, picked=3), more=more)]
    export(picks, "star", tmp_path, ExportSettings(tmp_path))
    table = starfile.read(tmp_path / "star" / "a.mrc.star")
    assert list(table)[2:] == ["rlnAutopickFigureOfMerit", "rlnClassNumber", "rlnAnglePsi"]
    assert table["rlnClassNumber"].tolist() == [4, -999, 2]
    assert table["rlnAnglePsi"].tolist() == [12.5, -999, -90]


def test_sizes_that_cryolo_estimated_are_read_and_written(real_data, tmp_path):
    path = real_data / "formats" / "cbox" / "TcdA1-0018_frames_sum.cbox"
    (coordinates,) = read_coordinates(path).coordinates
    assert (coordinates.box_px == 220).all()
    assert (coordinates.more["box_w_px"][0], coordinates.more["box_h_px"][0]) == (232, 222)
    (old,) = read_coordinates(path.with_name("TcdA1-0010_frames_sum.cbox")).coordinates
    assert np.isfinite(old.more["box_w_px"]).all()
    convert(path, "cbox", tmp_path)
    (again,) = read_coordinates(tmp_path).coordinates
    np.testing.assert_array_equal(again.box_px, coordinates.box_px)
    for name, values in coordinates.more.items():
        np.testing.assert_array_equal(again.more[name], values)
    (picks,) = as_picks([coordinates], pixel_size_A=1.1, diameter_A=150)
    assert picks.more["box_w_A"][0] == pytest.approx(232 * 1.1)


def test_boxes_to_cut_out_stand_for_those_that_nobody_estimated(real_data):
    (coordinates,) = read_coordinates(real_data / "formats" / "cbox" / "2d_particles.cbox").coordinates
    (picks,) = as_picks([coordinates], pixel_size_A=2.0, diameter_A=40)
    assert picks.more["box_w_A"].tolist() == picks.more["box_h_A"].tolist() == [50] * 3


@pytest.mark.parametrize("job", ["AutoPick", "ManualPick"])
def test_zeros_and_marks_of_relion_are_no_classes_or_angles(real_data, job):
    (folder,) = (real_data / "formats" / "relion5-project" / job).glob("job*/Movies")
    for coordinates in read_coordinates(folder).coordinates:
        assert "rlnAnglePsi" in coordinates.columns
        assert not coordinates.known
