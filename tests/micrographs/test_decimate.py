"""A low pass before a large crop changes the result by less than 1e-3 of the noise."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cryopick_ray.micrographs import resample
from cryopick_ray.micrographs.decimate import FOLDED, fewer_rows, planned
from cryopick_ray.micrographs.preprocess import is_decimated, normalise, prepare
from cryopick_ray.micrographs.resample import block_rows, fourier_resize, resize_blocks

SIGMA = 20.0
HEIGHTS = {4096: 8, 3710: 7, 3838: 2, 4092: 6, 5760: 8, 7420: 7, 7676: 4, 3712: 8, 8184: 8, 1855: 7, 1240: 8}
"""Of detectors, and what 10.78 pixels to one are first divided by."""


def noise(shape, mean=300.0):
    return np.random.default_rng(shape[0]).normal(mean, SIGMA, shape).astype(np.float32)


def cropped(image, shape):
    """The image as ingest crops it, and as the transform of all of it does."""
    plan = planned(image.shape[0], shape[0])
    rows = block_rows(image.shape[1], plan.strip)
    blocks = (image[top : top + rows] for top in range(0, len(image), rows))
    return resize_blocks(blocks, image.shape, shape, plan), fourier_resize(image, shape)


def apart(image, shape):
    """Largest difference of the two, in sigmas of the noise of the crop."""
    fast, exact = cropped(image, shape)
    return abs(fast - exact).max() / (SIGMA * np.sqrt(np.prod(shape) / image.size))


@pytest.mark.parametrize("height", HEIGHTS)
@pytest.mark.parametrize("kept_part", [10.78, 6.5, 4.01])
def test_white_noise_comes_out_as_of_the_whole_transform(height, kept_part):
    kept = 2 * round(height / kept_part / 2)
    if kept_part == 10.78:
        assert planned(height, kept).factor == HEIGHTS[height]
    if planned(height, kept) is not None:
        assert apart(noise((height, 256)), (kept, 128)) < 1e-3


@pytest.mark.parametrize("height", [1919, 2039, 4093])
def test_sides_that_nothing_divides_are_transformed_whole(height):
    assert not is_decimated((height, 4096), (height // 11, 380))


@pytest.mark.parametrize("kept", [96, 97])
@pytest.mark.parametrize("what", ["wave", "gradient", "edges", "pixels"])
def test_edges_single_pixels_and_gradients_come_out_so_too(what, kept):
    image = np.zeros((1024, 512), np.float32)
    rows = np.arange(1024)[:, None]
    if what == "wave":
        image += 50 * SIGMA * np.cos(2 * np.pi * rows / 1024)
    elif what == "gradient":  # with a jump of so many sigmas where the image wraps round
        image += 50 * SIGMA * rows / 1024
    elif what == "edges":  # sharper than any carbon's
        image[300:420, 100:300] = 30 * SIGMA
    else:  # as clipping leaves X-rays
        image[[5, 700, 1023], [9, 300, 0]] = 10 * SIGMA
    assert is_decimated(image.shape, (kept, 48))
    assert apart(image, (kept, 48)) < 1e-3


@pytest.mark.parametrize("wave", [1, 20, 47])
def test_a_wave_that_is_kept_is_exact_whatever_its_height(wave):
    y, x = np.indices((1024, 64))
    image = (1e3 * np.cos(2 * np.pi * (wave * y / 1024 + 3 * x / 64) + 1)).astype(np.float32)
    fast, exact = cropped(image, (96, 32))
    np.testing.assert_allclose(fast, exact, atol=1e3 * 2e-6)


def test_waves_that_fold_are_weakened_as_stated():
    plan, y = planned(1024, 96), np.arange(1024)
    assert plan.factor == 8
    for wave in range(1024 // 8 - 47, 1024 // 8 + 48, 5):
        image = np.cos(2 * np.pi * wave * y / 1024)[:, None].repeat(8, 1).astype(np.float32)
        fast, exact = cropped(image, (96, 4))
        assert abs(exact).max() < 1e-5  # nothing of it is kept
        weakened = abs(plan.response(np.array([wave]))[0] / plan.response(np.array([wave - 128]))[0])
        assert abs(fast).max() == pytest.approx(weakened, rel=0.05, abs=1e-6)


@given(side=st.integers(512, 9000), part=st.floats(4, 60))
@settings(deadline=None, max_examples=60)
def test_what_folds_is_below_its_bound(side, part):
    kept = int(side / part)
    assume(kept >= 2)
    plan = planned(side, kept)
    assume(plan is not None)
    assert side % plan.factor == 0
    assert plan.folded(kept) <= FOLDED
    here = abs(plan.response(np.arange(kept // 2 + 1)))
    assert here.min() > 0.02  # rounding is not made much of
    assert plan.overhang < plan.count


@given(
    height=st.sampled_from([512, 600, 768, 1000]),
    part=st.floats(4.1, 16),
    width=st.integers(1, 24),
    cuts=st.sets(st.integers(1, 60), max_size=4),
)
@settings(deadline=None, max_examples=60)
def test_any_cut_into_multiples_of_the_factor_is_the_same_image(height, part, width, cuts):
    image, plan = noise((height, width)), planned(height, max(2, int(height / part)))
    assume(plan is not None)
    whole = np.concatenate([rows.copy() for rows in fewer_rows([image], width, plan)])
    assert whole.shape == (plan.count, width)
    parts = np.split(image, sorted(cut * plan.factor for cut in cuts))
    cut = np.concatenate([rows.copy() for rows in fewer_rows(parts, width, plan)])
    np.testing.assert_allclose(cut, whole, atol=1e-3)


def test_each_value_is_the_sum_that_is_stated_and_wraps_round():
    image, plan = noise((512, 3), mean=0), planned(512, 100)
    values = np.concatenate([rows.copy() for rows in fewer_rows([image], 3, plan)])
    for place in (0, 1, 40, plan.count - 1):
        rows = plan.factor * (plan.overhang + place) + np.arange(len(plan.taps)) - len(plan.taps) + 1
        np.testing.assert_allclose(values[place], plan.taps @ image[rows % 512], atol=1e-4)


def test_a_shift_by_whole_output_pixels_shifts_the_output():
    image = noise((1000, 60))
    fast, _ = cropped(image, (100, 10))
    moved, _ = cropped(np.roll(image, (370, 12), (0, 1)), (100, 10))
    np.testing.assert_allclose(moved, np.roll(fast, (37, 2), (0, 1)), atol=2e-3 * SIGMA / 7.7)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", ">i2", "u2", "f2", "f4", ">f4"])
@pytest.mark.parametrize("shape", [(96, 48), (97, 96)])
def test_what_is_stored_is_within_a_thousandth_for_every_number_type(dtype, shape, monkeypatch):
    monkeypatch.setattr(resample, "BLOCK_PIXELS", 20_000)
    image = np.random.default_rng(1).normal(60, 9, (1024, 512)).astype(dtype)
    assert is_decimated(image.shape, shape)
    prepared, exact = prepare(image, shape), normalise(fourier_resize(image, shape))
    np.testing.assert_allclose(prepared.pixels, exact.pixels, atol=1.5e-3)
    assert (prepared.offset, prepared.scale) == pytest.approx((exact.offset, exact.scale), rel=1e-3)


def test_a_high_level_of_the_detector_does_not_show():
    image = noise((1024, 512), mean=0)
    level = prepare(image + np.float32(100 * SIGMA), (96, 48)).pixels
    np.testing.assert_allclose(level, prepare(image, (96, 48)).pixels, atol=5e-3)
