"""Filaments through the files of other programs and back: places, filaments, ways along them, directions."""

from itertools import pairwise

import numpy as np
import pytest
import starfile
from filament_tables import PIXEL_A, SPACING_PX, WIDTH_A, arc, by_filament, off
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryopick_ray.filaments.segments import cut_segments, traces_of
from cryopick_ray.filaments.trace import Trace
from cryopick_ray.formats.convert import CoordinateFrame, convert
from cryopick_ray.formats.filament_files import corners_of, tracked
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.format_table import FORMATS, WRITTEN, export
from cryopick_ray.formats.reading import read_coordinates

SEGMENTS = ("star", "cbox", "csv", "box-segments")
ENDS = ("star-ends", "box-ends")


@st.composite
def straight(draw):
    x, y, length = draw(st.floats(300, 800)), draw(st.floats(300, 800)), draw(st.floats(45, 400))
    turn = draw(st.floats(0, 2 * np.pi))
    ends = np.array([[x, y], [x + length * np.cos(turn), y + length * np.sin(turn)]])
    return Trace(ends, draw(st.floats(0, 1, width=32)))


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
