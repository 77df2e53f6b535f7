import numpy as np
import pytest

from cryopick_ray.filaments.segments import cut_segments, direction_rad, psi_deg, traces_of
from cryopick_ray.filaments.trace import Trace


def arc(radius_px, turn_rad, step_rad=0.01, start_rad=0.3):
    angle = start_rad + np.arange(0, turn_rad, step_rad)
    return Trace(np.column_stack([500 + radius_px * np.cos(angle), 400 + radius_px * np.sin(angle)]), 0.7)


def test_a_trace_is_as_long_as_its_arc():
    assert arc(200, 1.5).length_px == pytest.approx(200 * 1.49, rel=1e-4)


@pytest.mark.parametrize(
    "points", [[[0, 0]], [[0, 0], [0, 0]], [[0, 0], [1, np.nan]], [[0, 0, 0], [1, 1, 1]]]
)
def test_what_is_no_polyline_is_refused(points):
    with pytest.raises(ValueError, match="points"):
        Trace(np.array(points, float))


def test_segments_lie_on_the_filament_at_their_spacing_and_along_it():
    found = cut_segments([arc(200, 1.5)], 20.0, 30.0)
    angle = np.arctan2(found.y_px - 400, found.x_px - 500)
    assert len(found) == int(200 * 1.49 / 20) + 1
    assert np.hypot(found.x_px - 500, found.y_px - 400) == pytest.approx(200, abs=0.02)
    assert np.diff(angle) * 200 == pytest.approx(20, abs=0.01)
    assert np.diff(found.track_px) == pytest.approx(20)
    inside = slice(1, -1)
    off = np.deg2rad(found.psi_deg) + angle + np.pi / 2
    assert np.cos(off[inside]) == pytest.approx(1, abs=1e-5)
    assert set(found.score) == {0.7}


def test_psi_is_minus_the_direction_with_y_down():
    dx_dy = np.array([[1, 0], [1, 1], [0, 1], [-1, 0], [0, -1]], float)
    direction = np.arctan2(dx_dy[:, 1], dx_dy[:, 0])
    assert psi_deg(direction) == pytest.approx([0, -45, -90, 180, 90])
    assert np.cos(direction_rad(psi_deg(direction)) - direction) == pytest.approx(1)


def test_segments_give_their_traces_back_in_any_order_of_rows():
    traces = [arc(200, 1.5), arc(90, 2.0)]
    found = cut_segments(traces, 7.0, 10.0)
    order = np.random.default_rng(1).permutation(len(found))
    columns = (getattr(found, name)[order] for name in ("x_px", "y_px", "filament", "track_px", "score"))
    back = traces_of(*columns)
    assert {one.score for one in back} == {0.7}
    for one, trace in zip(sorted(back, key=lambda one: -one.length_px), traces, strict=True):
        assert one.length_px == pytest.approx(trace.length_px, abs=7)


def test_a_part_of_a_trace_has_its_length_and_its_ends():
    part = arc(200, 1.5).between(31.0, 140.0)
    assert part.length_px == pytest.approx(109, abs=0.01)
    assert part.points[0] == pytest.approx(arc(200, 1.5).at(np.array([31.0]))[0])


def test_one_segment_is_no_line():
    assert traces_of(np.array([3.0]), np.array([4.0]), np.array([0])) == []
