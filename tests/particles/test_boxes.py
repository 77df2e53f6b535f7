"""Boxes: where they lie, what is beyond the edge, how they are scaled, normalised and written."""

import mrcfile
import numpy as np
import pytest

from cryopick_ray.errors import UsageError
from cryopick_ray.particles.crop import crop, is_inside, is_touched, origins_A, whole_centres
from cryopick_ray.particles.normalise import Background, Dust, normalise
from cryopick_ray.particles.rescale import resample, rescale
from cryopick_ray.particles.stack import stack_bytes, written_stack

SHAPE = (60, 80)


@pytest.fixture
def micrograph():
    return np.random.default_rng(0).normal(50, 3, SHAPE).astype(np.float32)


def test_a_particle_is_at_the_middle_pixel_of_its_box(micrograph):
    micrograph[20, 33] = 1000
    (box,) = crop(micrograph, np.array([[33, 20]]), 16)
    assert np.unravel_index(box.argmax(), box.shape) == (8, 8)


@pytest.mark.parametrize("centre", [(0, 0), (79, 59), (-7, 30), (87, 66), (40, 2)])
def test_beyond_the_edge_a_box_repeats_the_edge(micrograph, centre):
    padded = np.pad(micrograph, 20, mode="edge")
    x, y = centre
    (box,) = crop(micrograph, np.array([centre]), 16)
    np.testing.assert_array_equal(box, padded[20 + y - 8 : 20 + y + 8, 20 + x - 8 : 20 + x + 8])


def test_what_a_box_holds_of_a_micrograph_is_told():
    centres = np.array([[8, 8], [7, 8], [72, 52], [73, 52], [-7, 8], [-8, 8], [87, 8], [88, 8]])
    assert is_inside(centres, 16, SHAPE).tolist() == [True, False, True, False, False, False, False, False]
    assert is_touched(centres, 16, SHAPE).tolist() == [True] * 5 + [False, True, False]


def test_a_centre_is_its_whole_pixel_less_the_origin():
    x, y = np.random.default_rng(1).uniform(0, 60, (2, 50))
    whole = whole_centres(x, y)
    origins = origins_A(whole, x, y, 1.7)
    assert (abs(origins) <= 0.85 + 1e-9).all()
    np.testing.assert_allclose(whole - origins / 1.7, np.column_stack([x, y]))


def test_a_rescaled_box_keeps_its_low_frequencies_and_its_middle():
    away = np.arange(48) - 24
    wave = np.cos(2 * np.pi * (3 * away[:, None] + 5 * away) / 48)
    (small,) = rescale(np.float32(wave[None] + 7), 32)
    away = np.arange(32) - 16
    np.testing.assert_allclose(small, np.cos(2 * np.pi * (3 * away[:, None] + 5 * away) / 32) + 7, atol=1e-5)


def test_a_resampled_box_has_the_values_between_its_pixels():
    away = np.arange(50) - 25
    fine, new = away, (np.arange(32) - 16) * 1.47
    wave = lambda x, y: np.cos(2 * np.pi * (3 * y[:, None] + 5 * x) / 50 + 0.3)  # noqa: E731
    (small,) = resample(np.float32(wave(fine, fine)[None] + 7), 32, 1.47)
    np.testing.assert_allclose(small, wave(new, new) + 7, atol=1e-5)


def test_frequencies_beyond_the_new_nyquist_are_not_folded_back():
    away = np.arange(50) - 25
    (small,) = resample(np.float32(np.cos(2 * np.pi * 18 * away / 50) + 0 * away[:, None])[None], 32, 1.47)
    assert np.abs(small).max() < 1e-5


def test_of_whole_pixels_both_ways_to_scale_are_the_same():
    rng = np.random.default_rng(0)
    spectra = np.fft.rfft2(rng.normal(size=(3, 30, 30)))
    spectra[:, 10:21] = spectra[:, :, 10:] = 0  # the new Nyquist is kept by one and not by the other
    boxes = np.float32(np.fft.irfft2(spectra))
    np.testing.assert_allclose(resample(boxes, 20, 1.5), rescale(boxes, 20), atol=1e-5)


def test_a_background_is_even_and_what_is_inside_does_not_count(micrograph):
    y, x = np.mgrid[:32, :32] - 16
    inside = x**2 + y**2 <= 12**2
    images = crop(micrograph, np.array([[30, 30], [41, 22]]), 32)
    ramped = images + np.float32(0.3 * x - 0.2 * y + 5)
    ramped[:, inside] += 40
    background = Background(32, 12.9)
    even = normalise(images, background, Dust())
    other = normalise(ramped, background, Dust())
    np.testing.assert_allclose(other[:, ~inside], even[:, ~inside], atol=1e-4)
    np.testing.assert_allclose(even[:, ~inside].mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(even[:, ~inside].std(axis=1), 1, rtol=1e-5)
    slope = np.linalg.lstsq(np.column_stack([x[~inside], y[~inside]]), even[:, ~inside].T)[0]
    np.testing.assert_allclose(slope, 0, atol=1e-5)


def test_dust_becomes_background(micrograph):
    micrograph[30, 30], micrograph[30, 35] = 1000, -1000
    images = crop(micrograph, np.array([[30, 30]]), 32)
    dusted = normalise(images, Background(32, 12), Dust(white=8, black=8), seed=3)
    assert abs(dusted).max() < 7
    assert abs(normalise(images, Background(32, 12), Dust(white=8))).max() > 50


def test_a_constant_background_has_no_numbers():
    assert np.isnan(normalise(np.ones((1, 16, 16), np.float32), Background(16, 6), Dust())).all()


def test_a_circle_that_leaves_no_background_is_refused():
    with pytest.raises(ValueError, match="leaves no background"):
        Background(16, 12)


@pytest.mark.parametrize("is_half", [False, True])
def test_a_stack_is_one_for_mrcfile(tmp_path, is_half):
    images = np.random.default_rng(2).normal(size=(5, 16, 16)).astype(np.float16 if is_half else np.float32)
    path = tmp_path / "a.mrcs"
    with written_stack(path, 16, 1.5, is_half=is_half) as stack:
        stack.add(images[:2])
        assert not path.exists()
        stack.add(images[2:])
    assert path.stat().st_size == stack_bytes(5, 16, is_half=is_half)
    assert mrcfile.validate(path)
    with mrcfile.open(path) as read:
        assert read.is_image_stack()
        np.testing.assert_array_equal(read.data, images)
        assert read.voxel_size.x == pytest.approx(1.5)


def test_a_stack_that_breaks_off_is_not_there(tmp_path):
    with (
        pytest.raises(UsageError, match="stop"),
        written_stack(tmp_path / "a.mrcs", 16, 1.5, is_half=False),
    ):
        raise UsageError("stop")
    assert list(tmp_path.iterdir()) == []
