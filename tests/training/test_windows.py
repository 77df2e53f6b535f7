import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.training.data.windows import QUARTER, Window

IMAGE = np.random.default_rng(0).normal(size=(37, 53)).astype(np.float32)
SQUARE = {side: np.random.default_rng(side).normal(size=(side, side)).astype(np.float32) for side in (24, 25)}
EIGHT = [(turn * QUARTER, flip) for turn in range(4) for flip in (False, True)]


def around(image, **how):
    side = len(image)
    return Window((side - 1) / 2, (side - 1) / 2, side, **how)


def blob(shape, x, y, sigma=2.5):
    rows, columns = np.indices(shape)
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)).astype(np.float32)


def centroid(image):
    rows, columns = np.indices(image.shape)
    weight = image.astype(float)
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


@given(
    middle=st.tuples(st.floats(45, 60), st.floats(45, 55)),
    away=st.tuples(st.floats(-6, 6), st.floats(-6, 6)),
    size=st.integers(48, 51),
    angle=st.sampled_from([turn * QUARTER for turn in range(-4, 9)]) | st.floats(-7, 7),
    zoom=st.just(1.0) | st.floats(0.8, 1.25),
    flip=st.booleans(),
)
def test_what_lies_at_a_centre_appears_where_it_is_located(middle, away, size, angle, zoom, flip):
    x, y = np.add(middle, away)
    window = Window(*middle, size, angle, zoom, flip)
    place = window.locate(np.array([[x, y]], np.float32))[0]
    np.testing.assert_allclose(centroid(window.cut(blob((100, 108), x, y))), place, atol=0.1)


@given(
    point=st.tuples(st.floats(-30, 90, width=32), st.floats(-30, 90, width=32)),
    angle=st.floats(0, 7),
    flip=st.booleans(),
)
def test_a_point_of_the_window_is_located_where_it_is(point, angle, flip):
    window = Window(31.0, 40.5, 64, angle, 1.25, flip)
    there = window.places(np.float32([point]))
    np.testing.assert_allclose(window.locate(there)[0], point, atol=1e-3)


@given(
    middle=st.tuples(st.floats(-9, 60), st.floats(-9, 60)),
    step=st.tuples(st.floats(-30, 30), st.floats(-30, 30)),
    size=st.integers(1, 64),
    angle=st.sampled_from([0.0, QUARTER, 2 * QUARTER, 3 * QUARTER]) | st.floats(0, 7),
    zoom=st.sampled_from([0.8, 1.0, 1.25]),
    flip=st.booleans(),
)
def test_locate_inverts_the_formula_of_the_window(middle, step, size, angle, zoom, flip):
    u, v = (-step[0] if flip else step[0]), step[1]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    shown = np.array(middle) + turn @ (u, v) / zoom
    window = Window(*middle, size, angle, zoom, flip)
    off = window.locate(shown[None].astype(np.float32))[0] - ((size - 1) / 2 + np.array(step))
    moved = zoom == 1 and np.abs(angle / QUARTER - round(angle / QUARTER)) < 1e-9
    assert np.abs(off).max() <= (0.5 if moved else 0) + 1e-4


@given(left=st.integers(0, 30), top=st.integers(0, 14), size=st.integers(1, 22))
def test_a_plain_window_is_a_slice(left, top, size):
    window = Window(left + (size - 1) / 2, top + (size - 1) / 2, size)
    cut = window.cut(IMAGE)
    np.testing.assert_array_equal(cut, IMAGE[top : top + size, left : left + size])
    assert cut.dtype == np.float32
    np.testing.assert_array_equal(
        window.locate(np.float32([[left, top], [left + 3.25, top]])), [[0, 0], [3.25, 0]]
    )


@pytest.mark.parametrize("side", SQUARE)
def test_four_quarter_turns_or_two_flips_change_nothing(side):
    image = SQUARE[side]
    turned = image
    for _ in range(4):
        turned = around(turned, angle=QUARTER).cut(turned)
        assert (turned == image).all() == (_ == 3)
    flipped = around(image, flip=True).cut(image)
    assert (flipped != image).any()
    np.testing.assert_array_equal(around(image, flip=True).cut(flipped), image)


@pytest.mark.parametrize("side", SQUARE)
def test_the_eight_orientations_are_those_of_a_square(side):
    image = SQUARE[side]
    seen = {around(image, angle=angle, flip=flip).cut(image).tobytes() for angle, flip in EIGHT}
    wanted = {np.rot90(one, turns).tobytes() for one in (image, image[:, ::-1]) for turns in range(4)}
    assert seen == wanted
    assert len(wanted) == 8


@pytest.mark.parametrize(("angle", "flip"), EIGHT)
def test_a_turn_next_to_a_right_angle_interpolates_the_same_picture(angle, flip):
    """Beyond the edges too: both ways of cutting mirror alike."""
    exact = Window(3.0, 30.0, 31, angle, flip=flip)
    near = Window(3.0, 30.0, 31, angle + 1e-6, flip=flip)
    assert (exact.cut(IMAGE) != near.cut(IMAGE)).any()
    np.testing.assert_allclose(exact.cut(IMAGE), near.cut(IMAGE), atol=1e-3)


@given(x=st.integers(-300, 300), y=st.integers(-300, 300))
def test_beyond_the_edges_the_image_is_mirrored(x, y):
    pad = 400
    padded = np.pad(IMAGE, pad, mode="symmetric")
    np.testing.assert_array_equal(
        Window(x, y, 9).cut(IMAGE), padded[y - 4 + pad : y + 5 + pad, x - 4 + pad : x + 5 + pad]
    )


def test_zoom_above_one_enlarges():
    image = blob((64, 64), 32, 32, 3.0)
    spread = [np.sqrt((Window(32, 32, 41, zoom=zoom).cut(image) > 0.5).sum()) for zoom in (0.8, 1.0, 1.25)]
    np.testing.assert_allclose(np.divide(spread, spread[1]), [0.8, 1, 1.25], rtol=0.08)


def test_oriented_windows_take_all_eight_orientations_alike():
    rng = np.random.default_rng(0)
    drawn = [Window.oriented(1, 2, 3, rng, zoom=1.1) for _ in range(1600)]
    counts = [sum((one.angle, one.flip) == way for one in drawn) for way in EIGHT]
    assert sum(counts) == 1600
    assert min(counts) > 150
    assert {(one.x, one.y, one.size, one.zoom) for one in drawn} == {(1, 2, 3, 1.1)}


def test_half_of_the_free_windows_turn_to_any_angle():
    rng = np.random.default_rng(0)
    angles = np.array([Window.oriented(0, 0, 9, rng, free=True).angle for _ in range(1600)])
    quarters = angles / (np.pi / 2)
    turned = angles[np.abs(quarters - np.rint(quarters)) > 1e-9]
    assert 700 < len(turned) < 900
    counts, _ = np.histogram(turned, bins=8, range=(0, 2 * np.pi))
    assert counts.sum() == len(turned)
    assert counts.min() > 60


def test_no_centres_are_located_nowhere():
    assert Window(3, 4, 5).locate(np.empty((0, 2), np.float32)).shape == (0, 2)


@pytest.mark.parametrize("zoom", [1.0, 1.07])
def test_noise_seen_in_training_is_nearly_that_of_the_micrograph(zoom):
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(240, 240)).astype(np.float32)
    spreads = [
        Window.oriented(120.3, 119.6, 71, rng, zoom=zoom if turn % 2 else 1.0, free=True).cut(noise).std()
        for turn in range(60)
    ]
    assert np.mean(spreads) == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize(("angle", "flip"), EIGHT)
def test_codes_are_cut_like_pixels(angle, flip):
    codes = np.random.default_rng(3).integers(0, 7, (37, 53)).astype(np.uint8)
    window = Window(20.3, 17.8, 48, angle, flip=flip)
    np.testing.assert_array_equal(window.codes(codes), window.cut(codes.astype(np.float32)))


@given(zoom=st.floats(0.6, 1.6), angle=st.floats(0, 7))
def test_turned_codes_are_those_of_the_nearest_pixels(zoom, angle):
    columns = np.arange(200) // 20
    codes = np.broadcast_to(columns, (200, 200)).astype(np.uint8)
    window = Window(100, 100, 40, angle, zoom)
    smooth = window.cut(np.broadcast_to(np.arange(200), (200, 200)).astype(np.float32))
    cut = window.codes(codes)
    assert cut.dtype == np.uint8
    assert (np.abs(cut * 20 + 9.5 - smooth) <= 10.6).all()


@pytest.mark.parametrize("turn", range(4))
def test_a_window_of_the_whole_micrograph_is_no_part_of_it(turn):
    image = SQUARE[24].copy()
    around(image, angle=turn * QUARTER).cut(image)[:] = 0
    assert np.array_equal(image, SQUARE[24])
