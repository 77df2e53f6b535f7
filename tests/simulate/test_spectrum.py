import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopick_ray.errors import UsageError
from cryopick_ray.simulate.spectrum import QUANTILES, grey_statistics, particle_snr, radial_power


def white(shape, seed=0, sigma=1.0):
    return np.random.default_rng(seed).normal(scale=sigma, size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(256, 256), (255, 301)])
def test_white_noise_is_flat_at_its_variance(shape):
    k, power = radial_power(white(shape, sigma=3.0) + 100, 2.0, 10)
    np.testing.assert_allclose(power, 9.0, rtol=0.2)
    inner, outer = np.arange(10) * 0.025, np.arange(1, 11) * 0.025
    mean_radius = 2 / 3 * (outer**3 - inner**3) / (outer**2 - inner**2)
    np.testing.assert_allclose(k, mean_radius, rtol=0.01)
    assert power[3:].mean() == pytest.approx(9, rel=0.02)


def test_a_wave_has_its_power_in_its_ring_alone():
    x = np.arange(256)
    wave = (2 * np.cos(2 * math.pi * x * 40 / 256))[None].repeat(256, 0).astype(np.float32)
    k, power = radial_power(wave, 1.5, 64)
    assert power.argmax() == np.abs(k - 40 / 256 / 1.5).argmin()
    assert np.delete(power, power.argmax()).max() < 1e-6 * power.max()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.integers(20, 90), st.integers(20, 90))
def test_power_adds_up_to_the_variance(seed, height, width):
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    spectrum = np.fft.fft2(white((height, width), seed))
    spectrum[radius > 0.5] = 0  # the corners are in no ring
    image = np.fft.ifft2(spectrum).real.astype(np.float32)
    _, power = radial_power(image, 1.0, 6)
    ring = np.minimum((radius * 12).astype(int), 5)[(radius <= 0.5) & (radius > 0)]
    total = (power * np.bincount(ring, minlength=6)).sum() / image.size
    assert total == pytest.approx(image.var(dtype=np.float64), rel=1e-4)


def test_power_does_not_depend_on_the_mean_or_on_transposing():
    image = white((100, 140))
    _, power = radial_power(image, 1.0, 12)
    np.testing.assert_allclose(radial_power(image + 50, 1.0, 12)[1], power, rtol=1e-3)
    np.testing.assert_allclose(radial_power(image.T.copy(), 1.0, 12)[1], power, rtol=1e-4)


def test_grey_statistics_are_those_of_scipy_and_of_a_normal_law():
    image = np.random.default_rng(1).gamma(4.0, size=(300, 400)).astype(np.float32)
    found = grey_statistics(image)
    assert found.skewness == pytest.approx(scipy.stats.skew(image, axis=None), rel=1e-3)
    assert found.excess_kurtosis == pytest.approx(scipy.stats.kurtosis(image, axis=None), rel=1e-2)
    assert (found.mean, found.sigma) == pytest.approx((image.mean(), image.std()), rel=1e-4)
    normal = grey_statistics(white((1000, 1000), sigma=5.0))
    assert (normal.skewness, normal.excess_kurtosis) == pytest.approx((0, 0), abs=0.02)
    np.testing.assert_allclose(normal.quantiles, scipy.stats.norm.ppf(QUANTILES), atol=0.05)


def test_particle_snr_ignores_slow_gradients_and_knows_noise_from_particles():
    rng = np.random.default_rng(2)
    centres = np.array([(60 + 110 * i, 60 + 110 * j) for i in range(7) for j in range(7)], float)
    noise = white((800, 800))
    assert particle_snr(noise, centres[:, 0], centres[:, 1], 16) == pytest.approx(0, abs=0.04)
    y, x = np.mgrid[:800, :800]
    image = noise + np.float32(2) * (x / 800)
    for column, row in centres:
        image[np.hypot(x - column, y - row) < 16] += np.float32(1) * rng.normal(size=1).astype(np.float32)
    assert particle_snr(image, centres[:, 0], centres[:, 1], 15) == pytest.approx(0, abs=0.04)
    for column, row in centres:
        image[np.hypot(x - column, y - row) < 8] += 2  # a quarter of the disc, variance 4 / 4 * 3 / 4
    measured = particle_snr(image, centres[:, 0], centres[:, 1], 16)
    assert measured == pytest.approx(0.75, abs=0.1)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: radial_power(white((8, 8)), 0.0, 4), "pixel size of 0"),
        (lambda: radial_power(white((8, 8)), 1.0, 0), "0 bins"),
        (lambda: grey_statistics(np.ones((8, 8), np.float32)), "constant"),
        (lambda: grey_statistics(np.full((8, 8), np.nan, np.float32)), "not finite"),
        (lambda: particle_snr(white((64, 64)), np.array([]), np.array([]), 5), "0 particles"),
        (lambda: particle_snr(white((64, 64)), np.array([32.0]), np.array([32.0]), 30), "0 discs"),
        (lambda: particle_snr(white((64, 64)), np.array([2.0]), np.array([2.0]), 5), "0 particles"),
    ],
)
def test_what_cannot_be_measured_is_refused(make, named):
    with pytest.raises(UsageError, match=named):
        make()
