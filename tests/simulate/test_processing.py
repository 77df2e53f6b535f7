import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import UsageError
from cryopick_ray.settings.config import assigned
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.processing import (
    Processing,
    ProcessingSettings,
    draw_processing,
    filtered,
    jpeg_copy,
    process,
    quantised,
)
from cryopick_ray.simulate.simulated_micrograph import simulate
from cryopick_ray.simulate.simulation_settings import simulation_settings


def noise(shape=(96, 128), seed=0):
    return 300 + 20 * np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def wave(wavelength_px, side=240):
    """A cosine that is whole in the mirrored image."""
    return np.tile(np.cos(2 * np.pi * (np.arange(side) + 0.5) / wavelength_px), (side, 1)).astype(np.float32)


@pytest.mark.parametrize("side", ["across", "down"])
@pytest.mark.parametrize(("high_pass_A", "low_pass_A"), [(60.0, 0.0), (0.0, 60.0)])
def test_a_filter_passes_half_the_amplitude_of_its_wavelength(high_pass_A, low_pass_A, side):
    image = 5 + (wave(30) if side == "across" else wave(30).T)
    assert np.allclose(filtered(image, 2.0, high_pass_A, low_pass_A) - 5, (image - 5) / 2, atol=1e-4)


@pytest.mark.parametrize(("wavelength_px", "high", "low"), [(8, 1, 0), (120, 0, 1)])
def test_filters_pass_what_lies_on_their_side(wavelength_px, high, low):
    image = wave(wavelength_px)
    assert np.allclose(filtered(image, 1.0, 30.0, 0.0), high * image, atol=0.05)
    assert np.allclose(filtered(image, 1.0, 0.0, 30.0), low * image, atol=0.05)


def test_the_two_filters_share_an_image_between_them():
    image = noise()
    both = filtered(image, 1.5, 40.0, 0.0) + filtered(image, 1.5, 0.0, 40.0)
    assert np.allclose(both, image + image.mean(), rtol=1e-4)


def test_filters_leak_nothing_from_one_border_to_the_opposite_one():
    slope = np.tile(np.arange(200, dtype=np.float32), (200, 1))
    smooth = filtered(slope, 1.0, 0.0, 20.0)
    assert np.abs(smooth - slope)[:, 20:-20].max() < 0.01
    assert np.abs(smooth - slope).max() < 10


@given(bits=st.integers(1, 10), clipped=st.floats(0, 0.2))
def test_grey_values_are_whole_in_order_and_reach_both_ends(bits, clipped):
    image = noise((40, 50))
    grey = quantised(image, bits, clipped)
    assert np.array_equal(grey, np.rint(grey))
    assert (grey.min(), grey.max()) == (0, 2**bits - 1)
    assert np.all(np.diff(grey.ravel()[np.argsort(image.ravel())]) >= 0)
    assert (grey == 0).mean() >= clipped - 1 / image.size


def test_a_constant_image_has_one_grey_value():
    assert not quantised(np.full((9, 9), 7, np.float32), 8, 0.01).any()


def test_a_better_jpeg_is_nearer():
    image = quantised(filtered(noise(), 1.0, 0.0, 6.0), 8, 0.0)
    errors = [np.abs(jpeg_copy(image, quality) - image).mean() for quality in (10, 50, 95)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 4 * errors[-1] > 0


def test_no_steps_are_the_image_itself():
    image = noise()
    assert process(image, 1.0, Processing()) is image
    rng = np.random.default_rng(1)
    assert draw_processing(rng, ProcessingSettings(clipped=0)) == Processing()


def test_steps_come_each_by_itself_with_their_probability():
    settings = ProcessingSettings(
        probability=0.3, high_pass_A=[50, 200], low_pass_A=40, bits=8, jpeg=[40, 95]
    )
    rng = np.random.default_rng(0)
    drawn = [draw_processing(rng, settings) for _ in range(2000)]
    done = np.array([[one.high_pass_A, one.low_pass_A, one.bits, one.jpeg] for one in drawn]) > 0
    assert done.mean(axis=0) == pytest.approx([0.3] * 4, abs=0.04)
    assert np.abs(np.corrcoef(done.T) - np.eye(4)).max() < 0.08
    wavelengths_A = np.array([one.high_pass_A for one in drawn if one.high_pass_A])
    assert np.median(wavelengths_A) == pytest.approx(100, rel=0.1)
    assert wavelengths_A.min() >= 50
    assert wavelengths_A.max() <= 200


def make(*texts, number=0):
    data = {"molecules": ["apoferritin"], "height_px": 256, "width_px": 320, "pixel_size_A": 4.0}
    settings = simulation_settings(assigned(data, ["scene.particles=20", *texts]))
    return simulate(settings, [load_molecule("apoferritin")], number)


def test_processing_changes_pixels_and_nothing_else_and_seeds_reproduce_it():
    steps = ["processing.high_pass_A=[80,200]", "processing.bits=8", "processing.jpeg=[40,90]"]
    plain, processed, again = make(), make(*steps), make(*steps)
    assert np.array_equal(processed.pixels, again.pixels)
    assert processed.pixels.max() <= 255
    assert np.array_equal(plain.scene.x_px, processed.scene.x_px)
    assert np.array_equal(plain.mask, processed.mask)
    filters = process(plain.pixels, 4.0, Processing(high_pass_A=120))
    assert np.corrcoef(filters.ravel(), processed.pixels.ravel())[0, 1] > 0.9


def test_a_single_frame_has_the_noise_of_its_few_electrons():
    empty = ["scene.particles=0", "scene.aggregates=0", "ice.noise_rad2_A2=0", "ice.thickness_variation=0"]
    clean = [
        f"contamination.{kind}.probability=0" for kind in ("carbon", "gold", "crystals", "blobs", "specks")
    ]
    frame, whole = (
        make(*empty, *clean, "contamination.scratches.probability=0", f"exposure.dose_e_per_A2={dose}").pixels
        for dose in (0.5, 50)
    )
    assert whole.mean() / frame.mean() == pytest.approx(100, rel=0.01)
    relative = (frame.std() / frame.mean()) / (whole.std() / whole.mean())
    assert relative == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize(
    "text",
    ["processing.jpeg=99", "processing.bits=17", "processing.clipped=0.3", "processing.high_pass_A=-1"],
)
def test_what_cannot_be_is_refused(text):
    with pytest.raises(UsageError, match=text.split("=")[0]):
        make(text)
