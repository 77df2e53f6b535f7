import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopick_ray.micrographs import resample
from cryopick_ray.micrographs.resample import fourier_resize, resize_blocks
from cryopick_ray.units import resampled_to_source

sides = st.integers(1, 40)
shapes = st.tuples(sides, sides)


def noise(shape) -> np.ndarray:
    return np.random.default_rng(shape[0] * 100 + shape[1]).normal(size=shape).astype(np.float32)


@settings(deadline=None, max_examples=200)
@given(source=shapes, shape=shapes)
def test_each_axis_is_resampled_as_scipy_resamples_it(source, shape):
    expected = scipy.signal.resample(noise(source).astype(float), shape[1], axis=1)
    expected = scipy.signal.resample(expected, shape[0], axis=0)
    np.testing.assert_allclose(fourier_resize(noise(source), shape), expected, atol=2e-5)


@settings(deadline=None)
@given(source=shapes, shape=shapes, level=st.floats(-1e4, 1e4, width=32))
def test_constants_and_means_survive(source, shape, level):
    flat = fourier_resize(np.full(source, level, np.float32), shape)
    np.testing.assert_allclose(flat, level, rtol=1e-5, atol=1e-30)
    assert fourier_resize(noise(source), shape).mean() == pytest.approx(noise(source).mean(), abs=1e-5)


@settings(deadline=None)
@given(
    source=st.tuples(*[st.integers(9, 40)] * 2), shape=st.tuples(*[st.integers(9, 40)] * 2), data=st.data()
)
def test_a_cosine_below_both_nyquists_comes_out_exactly_and_in_place(source, shape, data):
    waves = [
        data.draw(st.integers(-((min(a, b) - 1) // 2), (min(a, b) - 1) // 2))
        for a, b in zip(source, shape, strict=True)
    ]
    phase = data.draw(st.floats(0, 6))

    def cosine(sides):
        y, x = np.indices(sides)
        return np.cos(2 * np.pi * (waves[0] * y / sides[0] + waves[1] * x / sides[1]) + phase).astype(
            np.float32
        )

    np.testing.assert_allclose(fourier_resize(cosine(source), shape), cosine(shape), atol=2e-5)


@pytest.mark.parametrize("source", [(96, 120), (97, 121)])
@pytest.mark.parametrize("shape", [(48, 60), (32, 40), (50, 42), (33, 41), (192, 240)])
def test_a_blob_is_found_where_units_says_it_went(source, shape):
    y0, x0 = 40.0, 66.0
    y, x = np.indices(source)
    image = np.exp(-((y - y0) ** 2 + (x - x0) ** 2) / (2 * 6.0**2)).astype(np.float32)
    small = fourier_resize(image, shape)
    rows, columns = np.indices(shape)
    weights = np.where(small > 0.05, small, 0)
    centre = [np.array([(weights * grid).sum() / weights.sum()], np.float32) for grid in (columns, rows)]
    found_x, found_y = resampled_to_source(*centre, shape, source)
    assert (found_x[0], found_y[0]) == pytest.approx((x0, y0), abs=0.1)


@settings(deadline=None)
@given(small=shapes, extra=shapes)
def test_pad_then_crop_is_the_identity(small, extra):
    large = (small[0] + extra[0], small[1] + extra[1])
    np.testing.assert_allclose(
        fourier_resize(fourier_resize(noise(small), large), small), noise(small), atol=2e-5
    )


@settings(deadline=None)
@given(
    shape=st.tuples(*[st.integers(2, 12)] * 2),
    factor=st.integers(2, 4),
    steps=st.tuples(*[st.integers(-5, 5)] * 2),
)
def test_a_shift_by_whole_output_pixels_shifts_the_output(shape, factor, steps):
    image = noise((shape[0] * factor, shape[1] * factor))
    moved = np.roll(image, (steps[0] * factor, steps[1] * factor), (0, 1))
    expected = np.roll(fourier_resize(image, shape), steps, (0, 1))
    np.testing.assert_allclose(fourier_resize(moved, shape), expected, atol=2e-5)


@pytest.mark.parametrize("dtype", ["i1", "u2", ">i2", ">f4", "f2", "u4", "f8"])
def test_every_number_type_gives_float32(dtype):
    image = (noise((30, 20)) * 30 + 100).astype(dtype)
    small = fourier_resize(image, (10, 14))
    assert small.dtype == np.float32
    np.testing.assert_array_equal(small, fourier_resize(image.astype(np.float32), (10, 14)))


def test_the_blocks_of_rows_do_not_show(monkeypatch):
    whole = fourier_resize(noise((37, 30)), (20, 16))
    monkeypatch.setattr(resample, "BLOCK_PIXELS", 100)
    np.testing.assert_array_equal(fourier_resize(noise((37, 30)), (20, 16)), whole)


@settings(deadline=None)
@given(source=shapes, shape=shapes, data=st.data())
def test_any_cut_into_rows_is_the_same_image(source, shape, data):
    image = noise(source)
    cuts = sorted(data.draw(st.sets(st.integers(0, source[0]), max_size=5)))
    cut = resize_blocks(np.split(image, cuts), source, shape)
    np.testing.assert_allclose(cut, fourier_resize(image, shape), atol=1e-6)


def test_the_same_shape_is_the_same_image():
    np.testing.assert_array_equal(fourier_resize(noise((9, 14)), (9, 14)), noise((9, 14)))
