"""Laws of geometry: what is drawn as filaments is traced as those filaments."""

import numpy as np
import pytest
from drawn import WIDTH, arc, distances, line, maps, through, wavy

from cryopick_ray.filaments.joining import join
from cryopick_ray.filaments.tracing import trace_maps
from cryopick_ray.filaments.tracing_settings import TracingSettings

SHAPE = (200, 240)
STRAIGHT = through((120, 100), 17, 150)


def traced(axes, shape=SHAPE, settings=None, excluded=None, **drawn):
    found = trace_maps(*maps(shape, axes, **drawn), settings, width_px=WIDTH, excluded=excluded)
    return sorted(found, key=lambda one: min(np.mean(distances(one, axis)) for axis in axes))


def assert_is(trace, axis, off=0.3, end=0.5 * WIDTH):
    """Assert that a trace lies on an axis, within ``off`` px but for its ends, and ends where it ends."""
    inner = slice(int(WIDTH), -int(WIDTH))
    assert distances(trace, axis)[inner].max() < off
    ends = trace.points[[0, -1]]
    apart = [np.hypot(*(ends - axis[[first, ~first]]).T).max() for first in (0, -1)]
    assert min(apart) < end


def whose(traces, axes):
    """Return the number of the axis that each trace lies on, in the order of axes."""
    assert len(traces) == len(axes)
    context = np.array([[np.mean(distances(trace, axis)) for axis in axes] for trace in traces])
    assert sorted(context.argmin(axis=1)) == list(range(len(axes)))
    return [traces[number] for number in context.argmin(axis=0)]


@pytest.mark.parametrize("angle_deg", [0, 1, 17, 45, 90, 135, 170])
@pytest.mark.parametrize("shift", [0, 0.5])
def test_a_straight_filament_is_one_trace_from_end_to_end(angle_deg, shift):
    axis = through((120 + shift, 100 + shift), angle_deg, 150)
    (found,) = traced([axis])
    assert_is(found, axis, off=0.15)
    assert found.score > 0.8


@pytest.mark.parametrize("radius", [25, 60, 200])
def test_a_curved_filament_is_followed(radius):
    half_deg = min(np.rad2deg(80 / radius), 75)
    axis = arc((120, 150 - radius), radius, 90 - half_deg, 90 + half_deg)
    (found,) = traced([axis])
    assert_is(found, axis, off=0.35)


@pytest.mark.parametrize("angle_deg", [15, 20, 30, 45, 60, 90])
@pytest.mark.parametrize("nearest", [False, True])
def test_two_that_cross_are_two_straight_through(angle_deg, nearest):
    axes = [STRAIGHT, through((120, 100), 17 + angle_deg, 150)]
    for found, axis in zip(whose(traced(axes, nearest=nearest), axes), axes, strict=True):
        assert_is(found, axis, off=0.9)


def test_three_through_one_point_are_three():
    axes = [through((120, 100), angle_deg, 150) for angle_deg in (5, 65, 125)]
    for found, axis in zip(whose(traced(axes), axes), axes, strict=True):
        assert_is(found, axis)


def test_a_bundle_a_little_wider_than_a_width_keeps_its_filaments_apart():
    axes = [through((120, 80 + 1.1 * WIDTH * number), 8, 150) for number in range(6)]
    for found, axis in zip(whose(traced(axes), axes), axes, strict=True):
        assert_is(found, axis)


def test_a_short_gap_is_bridged_and_a_long_one_is_not():
    (found,) = traced([STRAIGHT], gaps=[(120, 100, 0.4 * WIDTH)])
    assert_is(found, STRAIGHT)
    assert len(traced([STRAIGHT], gaps=[(120, 100, 2 * WIDTH)])) == 2


def test_pieces_beside_each_other_are_not_joined_across_a_gap():
    upper, lower = line((20, 90), (110, 90)), line((116, 96), (210, 96))
    for found, axis in zip(whose(traced([upper, lower]), [upper, lower]), [upper, lower], strict=True):
        assert_is(found, axis)


def test_one_that_ends_upon_another_leaves_it_whole():
    stem = line((120, 100), (95, 180))
    whole, found = whose(traced([STRAIGHT, stem]), [STRAIGHT, stem])
    assert_is(whole, STRAIGHT)
    assert_is(found, stem, off=0.5)


def test_pieces_that_may_go_on_in_two_ways_end_there():
    settings = TracingSettings(longest_gap=2)
    stem, arms = line((30, 100), (112, 100)), [line((121, y), (200, y)) for y in (98.9, 101.1)]
    for arm in arms:
        (whole,) = traced([stem, arm], settings=settings)
        assert whole.length_px > 160
    ends = join([stem, *arms], maps(SHAPE, [stem, *arms])[0], WIDTH, settings)
    assert sorted(len(walk) for walk in ends) == [1, 1, 1]


def test_a_corner_is_two():
    axes = [line((30, 40), (120, 100)), line((120, 100), (210, 40))]
    for found, axis in zip(whose(traced(axes), axes), axes, strict=True):
        assert_is(found, axis, off=0.5, end=1.5 * WIDTH)


@pytest.mark.parametrize("radius", [6, 10, 15, 19])
def test_a_small_ring_is_no_filament(radius):
    assert traced([arc((120, 100), radius, 0, 360)]) == []


def test_a_ring_is_no_filament_where_straightness_is_asked_for():
    ring = [arc((120, 100), 60, 0, 360)]
    assert traced(ring) == []
    (found,) = traced(ring, settings=TracingSettings(least_straightness=0))
    assert found.length_px == pytest.approx(2 * np.pi * 60, abs=3 * WIDTH)


def test_what_is_short_is_left_out():
    short = through((120, 100), 17, 2.5 * WIDTH)
    assert traced([short]) == []
    assert len(traced([short], settings=TracingSettings(least_length=2))) == 1


def test_what_is_nowhere_sure_is_left_out():
    ridge, cos2, sin2 = maps(SHAPE, [STRAIGHT])
    assert trace_maps(0.45 * ridge, cos2, sin2, width_px=WIDTH) == []
    faint = TracingSettings(seed=0.3)
    (found,) = trace_maps(0.45 * ridge, cos2, sin2, faint, width_px=WIDTH)
    assert_is(found, STRAIGHT)


def test_nothing_is_traced_where_it_is_excluded():
    excluded = np.zeros(SHAPE, bool)
    excluded[:, 100:140] = True
    found = traced([STRAIGHT], excluded=excluded)
    assert len(found) == 2
    for one in found:
        assert distances(one, STRAIGHT).max() < 0.5 * WIDTH
        assert not ((one.points[:, 0] > 100) & (one.points[:, 0] < 139)).any()


def test_margins_are_cut_out_at_crossings_and_off_ends():
    axes = [STRAIGHT, through((120, 100), 87, 150)]
    margin = TracingSettings(crossing_margin=1.5)
    found = traced(axes, settings=margin)
    assert len(found) == 4
    assert min(np.hypot(*(one.points - (120, 100)).T).min() for one in found) > 1.3 * WIDTH
    (whole,), (less,) = traced([STRAIGHT]), traced([STRAIGHT], settings=TracingSettings(end_margin=2))
    assert whole.length_px - less.length_px == pytest.approx(4 * WIDTH, abs=0.1)


TURNS = {
    "mirrored": (lambda a: a[:, ::-1], lambda p: np.column_stack([SHAPE[1] - 1 - p[:, 0], p[:, 1]]), (1, -1)),
    "upside down": (lambda a: a[::-1], lambda p: np.column_stack([p[:, 0], SHAPE[0] - 1 - p[:, 1]]), (1, -1)),
    "turned by 90": (np.rot90, lambda p: np.column_stack([p[:, 1], SHAPE[1] - 1 - p[:, 0]]), (-1, -1)),
    "transposed": (np.transpose, lambda p: p[:, ::-1], (-1, 1)),
}


@pytest.mark.parametrize("turn", TURNS)
def test_turned_and_mirrored_maps_give_turned_and_mirrored_traces(turn):
    of_map, of_points, (cos_sign, sin_sign) = TURNS[turn]
    rng = np.random.default_rng(3)
    axes = [wavy(rng, (20, 40 + 25 * n), 10 * n - 20, 190, 60) for n in range(5)]
    ridge, cos2, sin2 = maps(SHAPE, axes, noise=0.05)
    found = trace_maps(ridge, cos2, sin2, width_px=WIDTH)
    turned = trace_maps(of_map(ridge), cos_sign * of_map(cos2), sin_sign * of_map(sin2), width_px=WIDTH)
    assert len(turned) == len(found) == 5
    for one in found:
        expected = of_points(one.points)
        apart = min(distances(other, expected)[3:-3].max() for other in turned)  # an end may be cut sooner
        assert apart < 0.3


def test_equal_maps_give_equal_traces_the_surest_first():
    rng = np.random.default_rng(5)
    axes = [wavy(rng, (20, 40 + 25 * n), 8 * n - 20, 190, 60) for n in range(5)]
    drawn = maps(SHAPE, axes, noise=0.1)
    first, second = (trace_maps(*drawn, width_px=WIDTH) for _ in range(2))
    assert [one.score for one in first] == sorted((one.score for one in first), reverse=True)
    for one, other in zip(first, second, strict=True):
        assert (one.points == other.points).all()


def test_noise_on_maps_moves_traces_by_parts_of_a_width():
    axes = [through((120, 60 + 40 * n), 20 * n - 10, 150) for n in range(3)]
    for found, axis in zip(whose(traced(axes, noise=0.1), axes), axes, strict=True):
        assert distances(found, axis)[5:-5].max() < 0.2 * WIDTH
        true = np.arctan2(*(axis[-1] - axis[0])[::-1])
        off = np.rad2deg(found.direction_rad(found.track_px[10:-10], 2 * WIDTH) - true)
        assert np.median(np.abs((off + 90) % 180 - 90)) < 1.5


ONES = np.ones(SHAPE, np.float32)
HOSTILE = {
    "all ones": (ONES, ONES, 0 * ONES),
    "nothing": (0 * ONES, 0 * ONES, 0 * ONES),
    "no numbers": (np.nan * ONES, np.inf * ONES, np.nan * ONES),
    "no direction": (0.5 * ONES, 0 * ONES, 0 * ONES),
    "blobs": (
        maps(SHAPE, [line((x, y), (x + 1, y)) for x in (60, 90) for y in (50, 100)])[0],
        ONES,
        0 * ONES,
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_maps_without_ridges_have_no_filament(name):
    assert trace_maps(*HOSTILE[name], width_px=WIDTH) == []


def test_noise_and_checkerboards_are_survived():
    rng = np.random.default_rng(1)
    board = (np.indices(SHAPE).sum(axis=0) % 2).astype(np.float32)
    noise = [rng.standard_normal(SHAPE).astype(np.float32) for _ in range(2)]
    for ridge in (board, np.abs(noise[0]), rng.random(SHAPE).astype(np.float32)):
        for trace_map in trace_maps(ridge, *noise, width_px=WIDTH):
            assert np.isfinite(trace_map.points).all()


def test_maps_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="shapes"):
        trace_maps(ONES, ONES[1:], ONES, width_px=WIDTH)


def test_a_seed_below_the_floor_is_refused():
    with pytest.raises(ValueError, match="`seed`"):
        TracingSettings(floor=0.5, seed=0.3)
