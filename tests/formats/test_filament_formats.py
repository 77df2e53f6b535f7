"""Filaments through the files of other programs and back: places, filaments, ways along them, directions."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import starfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryopick_ray.errors import PicksError
from cryopick_ray.evaluation.external_picks import as_picks
from cryopick_ray.filaments.segments import cut_segments, traces_of
from cryopick_ray.filaments.trace import Trace
from cryopick_ray.formats.convert import CoordinateFrame, convert
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.filament_files import along, corners_of, numbered, tracked
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.formats import FORMATS, WRITTEN, export, write
from cryopick_ray.formats.reading import read_coordinates

PIXEL_A, WIDTH_A, SPACING_PX = 1.5, 60.0, 20.0
SEGMENTS = ("star", "cbox", "csv", "box-segments")
ENDS = ("star-ends", "box-ends")


@pytest.fixture
def make_filaments(make_picks):
    """Make picks of a micrograph that are segments of traces, in whatever order tables have them."""

    def make(traces, name="a.mrc", shuffled=0):
        found = cut_segments(traces, SPACING_PX, 2 * SPACING_PX)
        order = np.random.default_rng(shuffled).permutation(len(found))
        more = {
            "filament": found.filament,
            "track_A": (found.track_px * PIXEL_A).astype(np.float32),
            "angle_deg": found.psi_deg.astype(np.float32),
        }
        one = make_picks(name, len(found), picked=len(found), diameter_A=WIDTH_A)
        return replace(
            one,
            x_px=found.x_px[order].astype(np.float32),
            y_px=found.y_px[order].astype(np.float32),
            more={column: values[order] for column, values in more.items()},
        )

    return make


@st.composite
def straight(draw):
    x, y, length = draw(st.floats(300, 800)), draw(st.floats(300, 800)), draw(st.floats(45, 400))
    turn = draw(st.floats(0, 2 * np.pi))
    ends = np.array([[x, y], [x + length * np.cos(turn), y + length * np.sin(turn)]])
    return Trace(ends, draw(st.floats(0, 1, width=32)))


def by_filament(one):
    """Return the segments of each filament in order: x, y, track in angstroms, psi."""
    picks = next(as_picks([one], pixel_size_A=PIXEL_A, diameter_A=WIDTH_A))
    found = {}
    for number in np.unique(picks.more["filament"]):
        rows = np.flatnonzero(picks.more["filament"] == number)
        rows = rows[np.argsort(picks.more["track_A"][rows], kind="stable")]
        table = [picks.x_px, picks.y_px, picks.more["track_A"], picks.more["angle_deg"]]
        found[int(number)] = np.stack([column[rows] for column in table], axis=1)
    return found


def off(psi, other):
    """Return how far directions differ that have no sense."""
    return np.abs((np.asarray(psi) - other + 90) % 180 - 90)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(straight(), min_size=1, max_size=4), st.sampled_from(SEGMENTS), st.integers(0, 9))
def test_segments_come_back(tmp_path_factory, make_filaments, traces, format, seed):
    out, told = tmp_path_factory.mktemp("out"), []
    picks = [make_filaments(traces, shuffled=seed)]
    export(picks, format, out, ExportSettings(out, say=told.append))
    (one,) = read_coordinates(out).coordinates
    wanted = cut_segments(traces, SPACING_PX, 2 * SPACING_PX)
    back = by_filament(one)
    assert list(back) == list(range(len(traces)))
    for number, rows in back.items():
        mine = wanted.filament == number
        np.testing.assert_allclose(rows[:, 0], wanted.x_px[mine], atol=2e-3)
        np.testing.assert_allclose(rows[:, 1], wanted.y_px[mine], atol=2e-3)
        np.testing.assert_allclose(rows[:, 2], wanted.track_px[mine] * PIXEL_A, atol=0.02)
        assert off(rows[:, 3], wanted.psi_deg[mine]).max() < 0.05
    assert not any("filament" in text or "track" in text or "angle" in text for text in told)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(straight(), min_size=1, max_size=4), st.sampled_from(ENDS))
def test_ends_of_straight_filaments_come_back(tmp_path_factory, make_filaments, traces, format):
    out, told = tmp_path_factory.mktemp("out"), []
    export([make_filaments(traces)], format, out, ExportSettings(out, say=told.append))
    source = out / "star" if format == "star-ends" else out
    (one,) = read_coordinates(source, format.replace("box-ends", "box")).coordinates
    wanted = cut_segments(traces, SPACING_PX, 2 * SPACING_PX)
    found = traces_of(one.x_px, one.y_px, one.more["filament"], one.more["track_px"])
    assert len(found) == len(traces)
    for number, trace in enumerate(found):
        mine = np.flatnonzero(wanted.filament == number)[[0, -1]]
        ends = np.column_stack([wanted.x_px, wanted.y_px])[mine]
        np.testing.assert_allclose(trace.points, ends, atol=2e-3)
    assert told == [f"{FORMATS[format].title} has no room for scores: left out"]


def arc(radius_px, turn=np.pi / 2, centre=(500, 500)):
    angle = np.linspace(0, turn, 60)
    return Trace(np.array(centre) + radius_px * np.column_stack([np.cos(angle), np.sin(angle)]), 0.5)


@pytest.mark.parametrize("format", ENDS)
def test_a_filament_that_bends_is_written_as_straight_pieces_along_it(tmp_path, make_filaments, format):
    told = []
    export([make_filaments([arc(300)])], format, tmp_path, ExportSettings(tmp_path, say=told.append))
    source = tmp_path / "star" if format == "star-ends" else tmp_path
    (one,) = read_coordinates(source, format.replace("box-ends", "box")).coordinates
    pieces = traces_of(one.x_px, one.y_px, one.more["filament"])
    assert len(pieces) > 2
    assert any(f"1 filaments bend and are written as {len(pieces)} straight pieces" in text for text in told)
    for piece in pieces:
        x, y = piece.at(np.linspace(0, piece.length_px, 20)).T
        assert np.abs(np.hypot(x - 500, y - 500) - 300).max() < 0.1 * WIDTH_A / PIXEL_A + 0.2


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=2, max_size=30), st.floats(0, 99)
)
def test_a_simpler_line_stays_by_its_points(points, bend_px):
    points = np.array(points)
    corners = corners_of(points, bend_px)
    assert (corners[0], corners[-1]) == (0, len(points) - 1)
    for start, stop in pairwise(corners):
        chord, away = points[stop] - points[start], points[start:stop] - points[start]
        length = np.hypot(*chord)
        beside = np.abs(away @ [-chord[1], chord[0]]) / length if length else np.hypot(*away.T)
        assert beside.max() <= bend_px + 1e-6


@given(st.integers(0, 5), st.integers(0, 30), st.integers(0, 9))
def test_ways_and_directions_are_those_of_the_traces(filaments, n, seed):
    rng = np.random.default_rng(seed)
    filament = rng.integers(-1, filaments, n).astype(np.int32) if filaments else np.full(n, -1, np.int32)
    x, y, order = rng.uniform(0, 99, (3, n))
    found = tracked(filament, x, y, order)
    assert np.isnan(found["track_px"][filament < 0]).all()
    for number in range(filaments):
        rows = np.flatnonzero(filament == number)
        rows = rows[np.argsort(order[rows])]
        if len(rows) > 1:
            trace = Trace(np.column_stack([x, y])[rows])
            np.testing.assert_allclose(found["track_px"][rows], trace.track_px, atol=1e-3)
            psi = -np.degrees(np.arctan2(*(trace.points[1] - trace.points[0])[::-1]))
            assert off(found["angle_deg"][rows[0]], psi) < 1e-2


def test_every_other_format_tells_that_filaments_are_left_out(tmp_path, make_filaments):
    for format in sorted({*WRITTEN} - {*SEGMENTS, *ENDS}):
        told = []
        export(
            [make_filaments([arc(300)])], format, tmp_path, ExportSettings(image_height=1240, say=told.append)
        )
        assert sum("filament, track_px" in text for text in told) == 1, format


@pytest.mark.parametrize("format", ["box-ends", "star-ends", "box-segments"])
def test_picks_of_no_filament_are_no_ends(tmp_path, make_picks, format):
    told = []
    export([make_picks("a.mrc", 10)], format, tmp_path, ExportSettings(say=told.append))
    assert "5 picks are of no filament: left out" in told


def test_the_starfile_has_what_relion_needs_of_segments(tmp_path, make_filaments):
    export([make_filaments([arc(300), arc(200)])], "star", tmp_path, ExportSettings(tmp_path))
    table = starfile.read(tmp_path / "star" / "a.mrc.star")
    assert list(table)[3:] == [
        *("rlnHelicalTubeID", "rlnAngleTiltPrior", "rlnAnglePsiPrior", "rlnHelicalTrackLengthAngst"),
        "rlnAnglePsiFlipRatio",
    ]
    assert (table["rlnAngleTiltPrior"] == 90).all()
    assert (table["rlnAnglePsiFlipRatio"] == 0.5).all()
    for number, tube in table.groupby("rlnHelicalTubeID"):
        assert number in (1, 2)
        dx, dy = (np.diff(tube[f"rlnCoordinate{axis}"]) for axis in "XY")
        psi = -np.degrees(np.arctan2(dy, dx))
        assert (
            off(tube["rlnAnglePsiPrior"].to_numpy()[1:], psi).max() < 8
        )  # the arc turns by 5 degrees a step
        np.testing.assert_allclose(
            np.diff(tube["rlnHelicalTrackLengthAngst"]), SPACING_PX * PIXEL_A, atol=0.01
        )


def test_without_a_pixel_size_there_is_no_track_and_it_is_told(tmp_path, make_filaments):
    export([make_filaments([arc(300)])], "cbox", tmp_path / "cbox")
    done = convert(tmp_path / "cbox", "star", tmp_path / "star")
    assert any("rlnHelicalTrackLengthAngst" in note for note in done.notes)
    done = convert(tmp_path / "cbox", "star", tmp_path / "star", frame=CoordinateFrame(pixel_size_A=PIXEL_A))
    assert not any("rlnHelicalTrackLengthAngst" in note for note in done.notes)


def test_a_mirrored_filament_has_the_mirrored_direction(tmp_path, make_filaments):
    export([make_filaments([arc(300)])], "csv", tmp_path / "one")
    convert(tmp_path / "one", "csv", tmp_path / "two", frame=CoordinateFrame(flip_y=True, image_height=1240))
    (one,) = read_coordinates(tmp_path / "two").coordinates
    again = tracked(one.more["filament"], one.x_px, one.y_px, one.more["track_px"])
    assert off(one.more["angle_deg"], again["angle_deg"]).max() < 3


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
