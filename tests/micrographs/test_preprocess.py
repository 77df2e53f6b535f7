import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.mrc import read_mrc
from cryopick_ray.micrographs.preprocess import (
    CLIP_SIGMAS,
    LARGEST,
    check_pixels,
    clip_outliers,
    normalise,
    prepare,
)
from cryopick_ray.micrographs.resample import fourier_resize


def ice(shape=(64, 80), mean=300.0, sigma=20.0) -> np.ndarray:
    return np.random.default_rng(1).normal(mean, sigma, shape).astype(np.float32)


images = stnp.arrays(
    st.sampled_from([np.int8, np.int16, np.uint16, np.float16, np.float32]),
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
)


@settings(deadline=None, max_examples=300)
@given(image=images, shape=st.tuples(st.integers(2, 30), st.integers(2, 30)))
def test_what_is_prepared_is_finite_and_nothing_else_comes_out(image, shape):
    try:
        prepared = prepare(image, shape)
    except MicrographError:
        return
    assert prepared.pixels.shape == shape
    assert prepared.pixels.dtype == np.float32
    assert np.isfinite(prepared.pixels).all()
    assert 0 < prepared.scale < np.inf
    assert np.isfinite(prepared.offset)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["f2", "f4", ">f4"])
def test_pixels_that_are_no_numbers_are_counted(value, dtype):
    image = ice().astype(dtype)
    image[3, 4:7] = value
    with pytest.raises(MicrographError, match="3 of 5120 pixels are NaN or infinite"):
        prepare(image, (32, 40))


@pytest.mark.parametrize(
    "image", [np.zeros((8, 8), "i1"), np.full((8, 8), 3e5, "f4"), np.full((8, 8), 7, ">u2")]
)
def test_a_constant_image_is_refused(image):
    with pytest.raises(MicrographError, match="constant"):
        check_pixels(image)


def test_numbers_beyond_float32_arithmetic_are_refused():
    image = ice()
    image[0, 0] = 10 * LARGEST
    with pytest.raises(MicrographError, match="1e\\+31"):
        check_pixels(image)


def test_a_pattern_finer_than_the_working_pixels_leaves_no_contrast():
    checks = 100 + 10 * (np.indices((32, 32)).sum(0) % 2)
    assert prepare(checks.astype(np.int16), (32, 32)).pixels.std() > 0
    with pytest.raises(MicrographError, match="no contrast left"):
        prepare(checks.astype(np.int16), (8, 8))


@pytest.mark.parametrize("hot", [1e4, -1e4, 1e9])
def test_hot_pixels_are_clipped_and_all_others_kept(hot):
    image = ice()
    clean, hit = image.copy(), np.zeros(image.shape, bool)
    hit[[5, 20, 63], [7, 0, 79]] = True
    image[hit] = hot
    clipped = clip_outliers(image)
    np.testing.assert_array_equal(clipped[~hit], clean[~hit])
    np.testing.assert_allclose(clipped[hit], 300 + np.sign(hot) * CLIP_SIGMAS * 20, atol=20)


def test_clipping_does_not_touch_the_file_s_pixels():
    image = ice()
    image[0, 0] = 1e6
    before = image.copy()
    prepare(image, (32, 40))
    np.testing.assert_array_equal(image, before)


def test_a_hot_pixel_hardly_changes_what_pickers_see():
    image = ice()
    clean = prepare(image, (32, 40)).pixels
    image[30, 30] = 1e7
    hot = prepare(image, (32, 40)).pixels
    far = np.ones((32, 40), bool)
    far[10:20, 10:20] = False
    assert abs(hot - clean)[far].max() < 0.5


def test_an_image_of_mostly_one_value_keeps_its_scale():
    image = np.zeros((40, 40), np.int8)
    image[::4, ::4] = 5
    prepared = prepare(image, image.shape)
    assert prepared.scale == pytest.approx(image.std())
    np.testing.assert_allclose(prepared.pixels * prepared.scale + prepared.offset, image, atol=1e-5)


def test_normalised_means_median_zero_and_sigma_one():
    prepared = normalise(ice((200, 200), mean=-40, sigma=3))
    assert np.median(prepared.pixels) == pytest.approx(0, abs=1e-6)
    assert prepared.pixels.std() == pytest.approx(1, abs=0.02)
    assert (prepared.offset, prepared.scale) == pytest.approx((-40, 3), rel=0.02)


@given(gain=st.floats(1e-3, 1e3), level=st.floats(-1e3, 1e3))
def test_gain_and_offset_of_the_detector_do_not_show(gain, level):
    image = ice(mean=0, sigma=1)
    changed = prepare((image * gain + level * gain).astype(np.float32), (32, 40))
    np.testing.assert_allclose(changed.pixels, prepare(image, (32, 40)).pixels, atol=5e-3)


def test_the_affine_gives_back_the_resampled_values():
    image = ice()
    prepared = prepare(image, (32, 40))
    raw = prepared.pixels * np.float32(prepared.scale) + np.float32(prepared.offset)
    np.testing.assert_allclose(raw, fourier_resize(image, (32, 40)), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["i2", ">i2", "u2", "i4", "u4", ">f4"])
def test_number_type_and_byte_order_do_not_show(dtype):
    image = np.rint(ice())
    expected = prepare(image, (32, 40)).pixels
    np.testing.assert_array_equal(prepare(image.astype(dtype), (32, 40)).pixels, expected)


def test_memory_stays_near_one_float32_copy():
    image = ice((2048, 2048)).astype(np.int16)
    tracemalloc.start()
    prepare(image, (256, 256))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * 4 * image.size


def test_real_micrographs_come_out_normal(real_data):
    for folder, shape in (("apoferritin-10146", (400, 388)), ("betagal-10017", (682, 682))):
        pixels = prepare(read_mrc(min((real_data / folder).glob("*.mrc"))).pixels, shape).pixels
        assert abs(np.median(pixels)) < 0.01
        assert 0.8 < pixels.std() < 1.5
