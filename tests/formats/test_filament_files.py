"""Filaments as other programs write them."""

import numpy as np
import pytest
from filament_tables import arc, off

from cryopick_ray.errors import PicksError
from cryopick_ray.formats.convert import convert
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.filament_files import along, numbered, tracked
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.format_table import export, write
from cryopick_ray.formats.reading import read_coordinates

SEGMENTS = ("star", "cbox", "csv", "box-segments")
ENDS = ("star-ends", "box-ends")


def test_cryolos_own_filaments_are_read_and_written(real_data, tmp_path):
    path = real_data / "formats" / "cbox" / "ActLifeact_02885.cbox"
    (one,) = read_coordinates(path).coordinates
    assert np.bincount(one.more["filament"]).tolist() == [70, 89, 39, 25]
    assert (one.box_px == 100).all()
    steps = np.diff(one.more["track_px"])[np.diff(one.more["filament"]) == 0]
    assert (steps.min(), steps.max()) == (pytest.approx(25, abs=0.6), pytest.approx(25, abs=0.6))
    convert(path, "cbox", tmp_path)
    (again,) = read_coordinates(tmp_path).coordinates
    np.testing.assert_allclose(again.x_px, one.x_px, atol=1e-5)
    for name, values in one.more.items():
        np.testing.assert_allclose(again.more[name], values, atol=1e-3)
    ours = (tmp_path / path.name).read_text().splitlines()
    assert [line for line in ours if line[:1] == "_"] == [
        line for line in path.read_text().splitlines() if line[:1] == "_"
    ]


VERTICES = """
data_global

_cbox_format_version 1.0

data_filament_vertices

loop_
_CoordinateX #1
_CoordinateY #2
_filamentid #3
_Width #4
_Height #5
 150.0 110.0 0.0 100.0 100.0
 50.0 210.0 0.0 100.0 100.0
"""
BOXES = """
data_cryolo

loop_
_CoordinateX #1
_CoordinateY #2
_filamentid #3
_Width #4
_Height #5
 60.0 100.0 0.0 100.0 100.0
 160.0 0.0 0.0 100.0 100.0
"""


def test_boxes_say_where_filaments_are_and_vertices_alone_do_not(tmp_path):
    (tmp_path / "a.cbox").write_text(VERTICES + BOXES)
    (one,) = read_coordinates(tmp_path / "a.cbox").coordinates
    assert np.column_stack([one.x_px, one.y_px]).tolist() == [[110, 150], [210, 50]]
    assert one.more["angle_deg"].tolist() == pytest.approx([45, 45])
    (tmp_path / "b.cbox").write_text(VERTICES)
    with pytest.raises(PicksError, match="vertices of filaments alone"):
        read_coordinates(tmp_path / "b.cbox")


def test_start_end_files_of_relion_are_read_where_it_is_said(real_data):
    path = real_data / "formats" / "star" / "ActinLifeAct_00072.star"
    (points,) = read_coordinates(path).coordinates
    (ends,) = read_coordinates(path, "star-ends").coordinates
    assert "filament" not in points.more
    assert ends.more["filament"].tolist() == np.repeat(np.arange(16), 2).tolist()
    assert ends.more["track_px"][1] == pytest.approx(np.hypot(3906.925 - 3545.5, 4001.3 - 3304.5), rel=1e-6)
    np.testing.assert_array_equal(ends.x_px, points.x_px)


def test_a_list_of_start_end_files_is_read(tmp_path, make_filaments):
    picks = [make_filaments([arc(900, 0.2)], "a.mrc"), make_filaments([], "b.mrc")]
    export(picks, "star-ends", tmp_path, ExportSettings(tmp_path))
    found = read_coordinates(tmp_path / "autopick.star", "star-ends").coordinates
    assert [len(one.x_px) for one in found] == [2, 0]


def test_helices_of_eman_are_read(tmp_path):
    (tmp_path / "ends.box").write_text("80\t80\t40\t40\t-1\n180\t130\t40\t40\t-2\n")
    (ends,) = read_coordinates(tmp_path / "ends.box").coordinates
    assert np.column_stack([ends.x_px, ends.y_px]).tolist() == [[100, 100], [200, 150]]
    assert ends.more["angle_deg"].tolist() == pytest.approx([-26.565, -26.565], abs=1e-3)
    (tmp_path / "seg.box").write_text(
        "#micrograph: a.mrc\n#segment length: 40\n#segment width: 40\n"
        "#helix: (100.0, 100.0),(140, 120),40\n100\t100\n120\t110\n140\t120\n"
        "#helix: (300, 300),(300, 200),40\n300\t300\n300\t200\n"
    )
    (one,) = read_coordinates(tmp_path / "seg.box").coordinates
    assert one.more["filament"].tolist() == [0, 0, 0, 1, 1]
    assert one.more["angle_deg"].tolist() == pytest.approx([-26.565] * 3 + [90] * 2, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "text", "format", "words"),
    [
        ("a.box", "#helix: (1, 2),(3,\n", None, "line 1"),
        ("a.box", "#helix: (1, 2),(3, 4),5\n1 2 3\n", None, "line 2"),
        ("a.box", "#helix: (1, nan),(3, 4),5\n1 2\n", None, "line 1"),
        ("a.box", "1 1 9 9 -1\n1 1 9 9 -2\n1 1 9 9 -1\n", None, "in turns"),
        ("a.star", "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1 2\n3 4\n5 6\n", "star-ends", "3 rows"),
    ],
)
def test_what_is_wrong_with_filaments_is_told(tmp_path, name, text, format, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(PicksError, match=words):
        read_coordinates(tmp_path / name, format)


HEAD = "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnHelicalTubeID\n_rlnHelicalTrackLengthAngst\n"


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([3, 1, 3], [3, 1, 3]),
        ([np.nan, -4, 0], [-1, -1, 0]),
        ([9e18, 7e18, 9e18], [1, 0, 1]),
        ([0.5, 2, np.inf], [0, 1, -1]),
    ],
)
def test_numbers_of_filaments_fit(ids, expected):
    assert numbered(np.array(ids, np.float64)).tolist() == expected


def test_places_and_ways_beyond_all_bounds_are_read_without_harm(tmp_path):
    (tmp_path / "a.star").write_text(HEAD + "1e308 -1e308 1 1e308\n-1e308 1e308 1 nan\n5 5 1 -inf\n5 5 2 0\n")
    (one,) = read_coordinates(tmp_path / "a.star").coordinates
    assert one.more["filament"].tolist() == [0, 0, 0, 1]
    assert np.isnan(one.more["angle_deg"][3])
    write([one], "star", tmp_path / "out", ExportSettings(tmp_path))
    (tmp_path / "b.box").write_text("#helix: (1, 2),(3, 4),5\n1e308 1\n-1e308 2\n")
    (two,) = read_coordinates(tmp_path / "b.box").coordinates
    assert len(two.x_px) == 2


def test_many_filaments_cost_no_more_than_as_many_segments(tmp_path, make_picks):
    n = 200_000
    one = make_picks("a.mrc", 0)
    x = np.arange(n, dtype=np.float64)
    segments = Coordinates(one.micrograph, x, x, np.ones(n), more=tracked((x // 2).astype(np.int32), x, x))
    assert len(along(segments).x_px) == n


def test_filaments_of_cryosparc_are_read(tmp_path):
    n = 5
    kinds = [
        ("uid", "<u8"), ("location/micrograph_uid", "<u8"), ("location/micrograph_path", "S20"),
        ("location/micrograph_shape", "<u4", (2,)), ("location/center_x_frac", "<f4"),
        ("location/center_y_frac", "<f4"), ("location/micrograph_psize_A", "<f4"),
        ("filament/filament_uid", "<u8"), ("filament/position_A", "<f4"), ("filament/filament_pose", "<f4"),
    ]  # fmt: skip
    table = np.zeros(n, kinds)
    table["uid"], table["location/micrograph_uid"] = np.arange(n) + 1, 7
    table["location/micrograph_path"], table["location/micrograph_shape"] = b"J1/a.mrc", (1000, 2000)
    table["location/center_x_frac"] = [0.10, 0.12, 0.14, 0.5, 0.5]
    table["location/center_y_frac"] = [0.10, 0.14, 0.18, 0.5, 0.6]
    table["location/micrograph_psize_A"] = 2.0
    table["filament/filament_uid"] = [2**63 + 1] * 3 + [2**63] * 2
    table["filament/position_A"] = [10, 122, 234, 0, 200]
    table["filament/filament_pose"] = np.radians([45, 45, 45, 90, 90])
    with (tmp_path / "p.cs").open("wb") as file:
        np.save(file, table)
    (one,) = read_coordinates(tmp_path / "p.cs").coordinates
    assert one.more["filament"].tolist() == [0, 0, 0, 1, 1]
    assert one.more["track_px"].tolist() == pytest.approx([0, 56, 112, 0, 100])
    places = tracked(one.more["filament"], one.x_px, one.y_px)
    assert off(one.more["angle_deg"], places["angle_deg"]).max() < 0.1
