"""Areas without data are found where they are, and nowhere else; they bend nothing."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cryopick_ray.errors import MicrographError, StoreError
from cryopick_ray.micrographs.no_data import NoData, find_no_data, slack_px
from cryopick_ray.micrographs.preprocess import prepare
from cryopick_ray.micrographs.reader import read_micrograph

TYPES = [np.int8, np.uint8, np.int16, np.uint16, np.float16, np.float32, ">f4"]
VALUES = st.sampled_from(["black", "mean", "largest", "NaN"])


def ice(shape, dtype=np.float32, seed=1):
    return np.rint(np.random.default_rng(seed).normal(60, 12, shape)).clip(1, 120).astype(dtype)


def value_of(name, dtype):
    known = {"black": 0, "mean": 60, "largest": 120, "NaN": np.nan}[name]
    return 0 if np.isnan(known) and np.dtype(dtype).kind != "f" else known


@settings(max_examples=40)
@given(
    dtype=st.sampled_from(TYPES),
    shape=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    seed=st.integers(0, 99),
)
def test_ice_is_data_everywhere(dtype, shape, seed):
    assert not find_no_data(ice(shape, dtype, seed))


@settings(max_examples=60)
@given(
    dtype=st.sampled_from(TYPES),
    value=VALUES,
    sides=st.tuples(*[st.sampled_from([0, 8, 40, 71])] * 4).filter(any),
)
def test_borders_are_found_to_the_pixel(dtype, value, sides):
    image, wanted = ice((300, 340), dtype), np.ones((300, 340), bool)
    top, bottom, left, right = sides
    wanted[top : 300 - bottom, left : 340 - right] = False
    image[wanted] = value_of(value, dtype)
    assert np.array_equal(find_no_data(image).mask(image.shape), wanted)


@pytest.mark.parametrize("value", ["black", "mean", "NaN"])
@pytest.mark.parametrize(
    "part", [np.s_[:, :200], np.s_[150:, 200:], np.s_[120:190, :], np.s_[100:150, 210:300]], ids=str
)
def test_halves_quadrants_gaps_and_holes_are_found_to_the_pixel(value, part):
    image, wanted = ice((300, 400)), np.zeros((300, 400), bool)
    wanted[part] = True
    image[wanted] = value_of(value, np.float32)
    assert np.array_equal(find_no_data(image).mask(image.shape), wanted)


@pytest.mark.parametrize("dtype", [np.int8, np.float32])
def test_lines_repeated_up_to_an_edge_are_found(dtype):
    image = np.pad(ice((300, 320), dtype), ((40, 0), (25, 50)), mode="edge")
    found = find_no_data(image).mask(image.shape)
    assert found[:40].all()
    assert found[:, :25].all()
    assert found[:, -50:].all()
    assert found[41:, 26:-51].sum() == 0


@pytest.mark.parametrize("degrees", [2, 10, 45])
def test_margins_of_a_rotated_frame_are_found_nearly_to_the_pixel(degrees):
    shape = (700, 900)
    image = ndimage.rotate(ice(shape), degrees, reshape=False, order=1, cval=0)
    wanted = ndimage.rotate(np.ones(shape), degrees, reshape=False, order=1, cval=0) == 0
    found, slack = find_no_data(image), slack_px(shape)
    assert (wanted & ~found.mask(shape, grown_px=slack)).mean() < 1e-3
    assert not (found.mask(shape) & ndimage.binary_erosion(~wanted, iterations=4 * slack)).any()
    assert len(found.to_text()) < 2e4


@pytest.mark.parametrize("probability", [0.005, 0.05, 0.5])
def test_sparse_counts_are_data(probability):
    counts = (np.random.default_rng(2).random((1000, 900)) < probability).astype(np.int8)
    assert not find_no_data(counts)


def test_dead_lines_and_saturated_pixels_are_defects_of_the_picture():
    image = ice((400, 500), np.uint8)
    image[:, 300:302] = image[200:203] = 0
    image[50:60, 50:60] = 255
    assert not find_no_data(image)


def test_real_micrographs_are_data_everywhere(real_data):
    paths = [
        path for name in ("apoferritin-10146", "betagal-10017") for path in (real_data / name).glob("*.mrc")
    ]
    assert len(paths) == 19
    assert not any(find_no_data(read_micrograph(path).pixels) for path in paths)


def test_few_pixels_that_are_no_numbers_are_an_error_beside_an_area_too():
    image = ice((300, 300))
    image[:50] = np.nan
    prepare(image, (150, 150))
    image[200, 100:103] = np.nan
    with pytest.raises(MicrographError, match="15003 of 90000 pixels are NaN"):
        prepare(image, (150, 150))


@settings(max_examples=20)
@given(value=VALUES, width=st.integers(20, 450), crop=st.sampled_from([(480, 640), (120, 160)]))
def test_what_stands_in_for_data_bends_neither_grey_values_nor_what_lies_beside(value, width, crop):
    image = np.random.default_rng(3).normal(500, 20, (480, 640)).astype(np.float32)
    image += np.linspace(0, 15, 640, dtype=np.float32)
    whole = prepare(image, crop)
    spoilt = image.copy()
    spoilt[:, :width] = {"black": 0, "mean": 500, "largest": 9999, "NaN": np.nan}[value]
    prepared = prepare(spoilt, crop)
    away = np.s_[:, (width + slack_px(image.shape) + 16) * crop[1] // 640 :]
    as_whole = (prepared.pixels * prepared.scale + prepared.offset - whole.offset) / whole.scale
    assert np.abs(as_whole - whole.pixels)[away].max() < 1
    assert prepared.scale == pytest.approx(whole.scale, rel=0.3)
    inside = prepared.pixels[:, : width * crop[1] // 640]
    assert abs(np.median(inside)) < 2
    assert np.abs(inside).max() < 10


def test_areas_come_back_from_their_text():
    areas = NoData(((0, 0, 640, 12), (600, 12, 640, 480)))
    assert NoData.from_text(areas.to_text()) == areas
    assert NoData.from_text(NoData().to_text()) == NoData()
    for text in ("[1,2]", "[[1,2,3]]", "{", '[["a",0,0,0]]', "[[1e999,0,0,0]]"):
        with pytest.raises(StoreError, match="without data"):
            NoData.from_text(text)


def test_points_and_mask_agree():
    areas = NoData(((0, 0, 64, 5), (10, 20, 30, 40)))
    y, x = np.indices((48, 64))
    inside = areas.holds(x.ravel().astype(np.float32), y.ravel().astype(np.float32))
    assert np.array_equal(inside.reshape(48, 64), areas.mask((48, 64)))
    assert areas.share((48, 64)) == pytest.approx((5 * 64 + 400) / (48 * 64))


def test_memory_stays_below_one_float32_copy_where_areas_are_filled():
    image = np.random.default_rng(2).integers(-90, 90, (4096, 2048), np.int8)
    image[:300] = image[:, -100:] = 0
    tracemalloc.start()
    prepare(image, (512, 256))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * image.size
