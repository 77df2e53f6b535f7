import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs import resample
from cryopick_ray.micrographs.mrc import read_mrc
from cryopick_ray.micrographs.preprocess import (
    CLIP_SIGMAS,
    LARGEST,
    check_pixels,
    clipped_blocks,
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
    clipped = np.concatenate(list(clipped_blocks(image)))
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


@pytest.mark.parametrize("dtype", ["i1", ">i2", "u2", "f2", "f4", ">f4"])
@pytest.mark.parametrize("shape", [(48, 40), (97, 90), (97, 110)])
def test_blocks_give_what_whole_images_give(dtype, shape, monkeypatch):
    monkeypatch.setattr(resample, "BLOCK_PIXELS", 500)
    image = ice((97, 110), mean=40, sigma=9).astype(dtype)
    image[50, 60] = 120  # within 10 sigma
    image[3, 5], image[96, 0] = (-100, 127) if dtype == "i1" else (9e3, 2e4)
    check_pixels(image)
    whole = image.astype(np.float32)
    centre = np.median(whole)
    sigma = 1.4826 * np.median(abs(whole - centre))
    clipped = np.clip(whole, centre - 10 * sigma, centre + 10 * sigma)
    expected = normalise(clipped if clipped.shape == shape else fourier_resize(clipped, shape))
    prepared = prepare(image, shape)
    np.testing.assert_allclose(prepared.pixels, expected.pixels, atol=2e-5)
    assert (prepared.offset, prepared.scale) == pytest.approx((expected.offset, expected.scale), rel=1e-6)


def test_a_block_without_outliers_is_the_file_s_own_memory():
    image = ice()
    assert all(np.shares_memory(block, image) for block in clipped_blocks(image))


def test_a_sample_gives_nearly_what_all_pixels_give():
    image = ice((2048, 2048))
    image[::3, 1::3] += 60  # carbon, ice and protein: not symmetric
    centre = np.median(image)
    prepared = normalise(image)
    sigma = 1.4826 * np.median(abs(image - centre))
    assert (prepared.offset - centre) / sigma == pytest.approx(0, abs=4e-3)
    assert prepared.scale / sigma == pytest.approx(1, abs=4e-3)


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ((95, 0), np.nan, "1 of 10560 pixels are NaN"),
        ((0, 0), np.inf, "1 of 10560 pixels are NaN"),
        ((50, 50), -10 * LARGEST, "-?1e\\+31"),
    ],
)
def test_one_bad_pixel_is_found_wherever_it_lies(where, value, message, monkeypatch):
    monkeypatch.setattr(resample, "BLOCK_PIXELS", 500)
    image = ice((96, 110))
    image[where] = value
    for shape in (image.shape, (24, 30)):
        with pytest.raises(MicrographError, match=message):
            prepare(image, shape)


def test_an_image_without_data_in_nine_tenths_is_refused():
    image = np.zeros((1500, 1500), np.uint8)
    image[1, 1] = 200
    with pytest.raises(MicrographError, match="constant or NaN in 100%"):
        prepare(image, image.shape)
    image[1, 1] = 0
    with pytest.raises(MicrographError, match="constant"):
        prepare(image, image.shape)


@pytest.mark.parametrize("dtype", ["i1", "i2", "f4"])
def test_memory_stays_far_below_one_float32_copy(dtype):
    image = np.random.default_rng(2).integers(-90, 90, (4096, 2048), np.int8).astype(dtype)
    image[7, 7] = 127
    tracemalloc.start()
    prepare(image, (512, 256))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * image.size / 4


def test_memory_of_a_sparse_count_image_stays_low_too():
    image = (np.random.default_rng(2).random((4096, 2048)) < 0.05).astype(np.int8)
    tracemalloc.start()
    prepare(image, (512, 256))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * image.size / 4


def test_real_micrographs_come_out_normal(real_data):
    for folder, shape in (("apoferritin-10146", (400, 388)), ("betagal-10017", (682, 682))):
        pixels = prepare(read_mrc(min((real_data / folder).glob("*.mrc"))).pixels, shape).pixels
        assert abs(np.median(pixels)) < 0.01
        assert 0.8 < pixels.std() < 1.5
