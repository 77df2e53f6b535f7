import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter

from cryopick_ray.errors import MicrographError, UsageError
from cryopick_ray.pickers.device import device_peaks
from cryopick_ray.pickers.device.device_peaks import find_peaks_on_device
from cryopick_ray.pickers.peaks import find_peaks

BATCHES = st.tuples(st.integers(1, 3), st.integers(1, 24), st.integers(1, 24))
RADII = st.one_of(st.floats(0, 9), st.sampled_from([0.0, 1.0, 2.0, 5.0, 1e9, 1e200]))


@st.composite
def smooth_batches(draw):
    shape = draw(BATCHES)
    noise = np.random.default_rng(draw(st.integers(0, 2**32))).normal(size=shape)
    return gaussian_filter(noise, (0, 1, 1)).astype(np.float32)


@st.composite
def tied_batches(draw):
    levels = st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 1.0, 2.0])
    return draw(arrays(np.float32, BATCHES, elements=levels))


def assert_same_picks(scores, radius, floor, device="cpu"):
    found = find_peaks_on_device(torch.from_numpy(scores).to(device), radius_px=radius, floor=floor)
    assert len(found) == len(scores)
    for one, score in zip(found, scores, strict=True):
        expected = find_peaks(score, radius_px=radius, floor=floor)
        for axis in ("x", "y", "score"):
            np.testing.assert_array_equal(getattr(one, axis), getattr(expected, axis))
            assert getattr(one, axis).dtype == np.float32


@settings(max_examples=200)
@given(smooth_batches(), RADII, st.floats(-3, 1, width=32))
def test_smooth_maps_give_the_picks_of_find_peaks(scores, radius, floor):
    assert_same_picks(scores, radius, floor)


@settings(max_examples=400)
@given(tied_batches(), RADII, st.sampled_from([-np.inf, -2, 0, 1, 3]))
def test_ties_and_plateaus_give_the_picks_of_find_peaks(scores, radius, floor):
    assert_same_picks(scores, radius, floor)


@given(st.integers(0, 2**32), st.integers(2, 12), RADII)
def test_maps_of_low_precision_give_the_picks_of_find_peaks(seed, levels, radius):
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(2, 60, 50)), (0, 3, 3))
    assert_same_picks(np.round(noise / noise.std() * levels).astype(np.float32), radius, -np.inf)


@pytest.mark.parametrize("radius", [0, 3, 6.5, 30])
def test_a_map_of_a_micrographs_kind_gives_the_picks_of_find_peaks(radius):
    noise = np.random.default_rng(7).normal(size=(2, 300, 500))
    assert_same_picks(gaussian_filter(noise, (0, 2, 2)).astype(np.float32), radius, 0.0)


def test_a_winding_plateau_is_one_peak():
    score = np.zeros((1, 45, 45), np.float32)
    y, x, dy, dx = 22, 22, 0, 1
    for leg in range(1, 40):  # a spiral, one pixel wide: its first pixel is far from its ends
        for _ in range(2 * ((leg + 1) // 2)):
            score[0, y, x] = 1
            y, x = y + dy, x + dx
        dy, dx = dx, -dy
    assert len(find_peaks_on_device(torch.from_numpy(score), radius_px=0, floor=0.5)[0]) == 1
    assert_same_picks(score, 0, 0.5)


@pytest.mark.parametrize("shape", [(0, 5, 5), (2, 0, 5), (2, 5, 0)])
def test_empty_maps_have_no_peaks(shape):
    assert_same_picks(np.empty(shape, np.float32), 3, 0)


def test_a_chain_of_ever_better_peaks_is_decided_from_its_best():
    score = np.full((1, 9, 400), -np.inf, np.float32)
    score[0, 4, ::3] = np.arange(134)
    assert_same_picks(score, 4, -np.inf)


def test_blocks_of_peaks_do_not_show(monkeypatch):
    monkeypatch.setattr(device_peaks, "BLOCK_PEAKS", 7)
    noise = np.random.default_rng(3).normal(size=(3, 80, 70)).astype(np.float32)
    assert_same_picks(noise, 5, 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_the_first_map_with_unordered_scores_is_refused(bad):
    scores = torch.zeros(3, 5, 5)
    scores[1, 2, :2] = bad
    scores[2] = bad
    with pytest.raises(MicrographError, match="2 NaN or infinite of 25"):
        find_peaks_on_device(scores, radius_px=1, floor=0)


@pytest.mark.parametrize("radius", [-1, np.nan, np.inf])
def test_a_radius_that_is_no_length_is_refused_on_the_device(radius):
    with pytest.raises(UsageError, match="suppression radius"):
        find_peaks_on_device(torch.zeros(1, 5, 5), radius_px=radius, floor=0)


def test_the_maps_are_left_as_they_were():
    noise = np.random.default_rng(5).normal(size=(2, 30, 30)).astype(np.float32)
    scores = torch.from_numpy(noise.copy())
    find_peaks_on_device(scores, radius_px=3, floor=0)
    np.testing.assert_array_equal(scores.numpy(), noise)


@pytest.mark.gpu
@pytest.mark.parametrize("levels", [0, 4])
@pytest.mark.parametrize("radius", [0, 3, 12, 1e9])
def test_a_gpu_gives_the_picks_of_find_peaks(levels, radius):
    noise = gaussian_filter(np.random.default_rng(9).normal(size=(4, 1000, 1200)), (0, 3, 3))
    noise /= noise.std()
    scores = np.round(noise * levels) if levels else noise
    scores[0, :100] = -np.inf
    assert_same_picks(scores.astype(np.float32), radius, -2.0, device="cuda")
