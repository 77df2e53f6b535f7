import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopick_ray.errors import UsageError
from cryopick_ray.simulate.detector import (
    MANY_ELECTRONS,
    Detector,
    count,
    electrons_per_pixel,
    gaussian_falloff,
    record,
)
from cryopick_ray.simulate.spectrum import radial_power

PERFECT = Detector(dqe_zero=1.0, dqe_nyquist=1.0, mtf_nyquist=1.0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.1, 3000), st.floats(0.3, 1))
def test_counts_have_the_mean_expected_and_the_variance_of_fewer_electrons(seed, mean, dqe):
    counts = count(np.random.default_rng(seed), np.full((300, 300), mean, np.float32), dqe)
    assert counts.mean(dtype=np.float64) == pytest.approx(mean, abs=5 * math.sqrt(mean / dqe) / 300)
    assert counts.var(dtype=np.float64) == pytest.approx(
        mean / dqe, rel=5 * math.sqrt(2 + 1 / mean / dqe) / 300
    )


def test_few_electrons_are_whole_numbers_and_skewed_as_poisson():
    counts = count(np.random.default_rng(0), np.full((1000, 1000), 5, np.float32))
    np.testing.assert_array_equal(counts, np.rint(counts))
    skewness = (((counts - 5) / math.sqrt(5)) ** 3).mean()
    assert skewness == pytest.approx(1 / math.sqrt(5), rel=0.05)


def test_variance_follows_the_mean_inside_an_image_on_both_sides_of_the_limit():
    for level in (0.5 * MANY_ELECTRONS, 2 * MANY_ELECTRONS):
        expected = np.full((400, 600), level, np.float32)
        expected[:, 300:] *= 0.5
        counts = count(np.random.default_rng(1), expected)
        assert counts[:, :300].var(dtype=np.float64) == pytest.approx(level, rel=0.03)
        assert counts[:, 300:].var(dtype=np.float64) == pytest.approx(level / 2, rel=0.03)


def test_negative_expectation_counts_nothing():
    counts = count(np.random.default_rng(0), np.full((8, 8), -3, np.float32))
    assert not counts.any()


@pytest.mark.parametrize("detector", [PERFECT, Detector(), Detector(0.5, 0.1, 0.3)])
@pytest.mark.parametrize("shape", [(512, 512), (501, 333)])
def test_a_constant_scene_keeps_its_mean_and_has_the_noise_stated(detector, shape):
    recorded = record(np.random.default_rng(2), np.ones(shape, np.float32), 30.0, 1.2, detector)
    electrons = 30 * 1.2**2
    assert recorded.shape == shape
    assert recorded.dtype == np.float32
    assert recorded.mean(dtype=np.float64) == pytest.approx(electrons, rel=5e-3)
    k, power = radial_power(recorded, 1.2, 16)
    expected = electrons / detector.dqe_zero * detector.nnps_nyquist ** ((k * 2 * 1.2) ** 2)
    np.testing.assert_allclose(power[1:], expected[1:], rtol=0.1)
    assert (power[1:] / expected[1:]).mean() == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize(("cycles", "share"), [(256, 1.0), (128, 0.25), (64, 0.0625)])
def test_a_wave_is_damped_by_the_mtf(cycles, share):
    detector = Detector(0.9, 0.4, 0.5)
    wave = np.cos(2 * math.pi * np.arange(512) * cycles / 512)[None].repeat(512, 0)
    recorded = record(np.random.default_rng(3), (1 + 0.5 * wave).astype(np.float32), 200.0, 1.0, detector)
    contrast = (recorded * wave).mean() / (wave**2).mean() / 200
    assert contrast == pytest.approx(0.5 * 0.5**share, rel=0.02)


def test_dqe_is_the_ratio_of_what_comes_out_to_what_goes_in():
    detector = Detector(0.8, 0.3, 0.55)
    assert detector.mtf_nyquist**2 / detector.nnps_nyquist * detector.dqe_zero == pytest.approx(0.3)
    falloff = gaussian_falloff((64, 64), 0.55)
    assert falloff.shape == (64, 33)
    assert falloff[0, 0] == 1
    assert falloff[32, 0] == pytest.approx(0.55)
    assert falloff[0, 32] == pytest.approx(0.55)


def test_recording_is_decided_by_the_seed():
    scene = np.linspace(0.5, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    kept = scene.copy()
    first, again, other = (record(np.random.default_rng(s), scene, 20, 1, Detector()) for s in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()
    np.testing.assert_array_equal(scene, kept)


def test_electrons_per_pixel():
    assert electrons_per_pixel(40.0, 1.5) == pytest.approx(90.0)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: electrons_per_pixel(-3, 1), r"-3 e/A2: expected 0.01 to 1000 \(`exposure.dose_e_per_A2`\)"),
        (lambda: electrons_per_pixel(0, 1), "`exposure.dose_e_per_A2`"),
        (lambda: electrons_per_pixel(math.nan, 1), "`exposure.dose_e_per_A2`"),
        (lambda: electrons_per_pixel(40, 0), r"expected 0.1 to 100 \(`pixel_size_A`\)"),
        (lambda: Detector(dqe_zero=0.0), "exposure.dqe_zero"),
        (lambda: Detector(dqe_zero=1.1), "exposure.dqe_zero"),
        (lambda: Detector(dqe_zero=0.3, dqe_nyquist=0.5), "falling"),
        (lambda: Detector(mtf_nyquist=0.9, dqe_nyquist=0.1), "MTF"),
        (lambda: Detector(mtf_nyquist=0.0), "exposure.mtf_nyquist"),
        (
            lambda: record(np.random.default_rng(), np.ones((8, 8), np.float32), -1, 1, PERFECT),
            "`exposure.dose_e_per_A2`",
        ),
    ],
)
def test_impossible_values_are_refused(make, named):
    with pytest.raises(UsageError, match=named):
        make()
