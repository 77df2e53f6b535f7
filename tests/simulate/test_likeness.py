import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cryopick_ray.simulate.likeness import matched_filter_snr, spectral_distance, whitened
from cryopick_ray.simulate.spectrum import radial_power

SIGMA = 5.0


def field(amplitude, seed=0, side=400, spacing=50):
    """Blobs on a grid in white noise, and their centres."""
    rng = np.random.default_rng(seed)
    places = np.arange(spacing, side - spacing // 2, spacing)
    y, x = (axis.ravel() for axis in np.meshgrid(places, places, indexing="ij"))
    rows, columns = np.mgrid[:side, :side]
    blobs = sum(
        np.exp(-((rows - i) ** 2 + (columns - j) ** 2) / (2 * SIGMA**2)) for i, j in zip(y, x, strict=True)
    )
    return (rng.normal(size=(side, side)) - amplitude * blobs).astype(np.float32), x, y


@pytest.mark.parametrize("amplitude", [0.2, 0.4])
def test_in_white_noise_the_signal_is_the_root_of_the_particles_energy(amplitude):
    image, x, y = field(amplitude)
    energy = amplitude * np.sqrt(np.pi) * SIGMA  # of a Gaussian, in standard deviations of the noise
    assert matched_filter_snr(image, x, y, 14) == pytest.approx(energy, rel=0.25)


def test_noise_alone_has_no_signal_and_polarity_and_units_do_not_matter():
    noise, x, y = field(0)
    assert abs(matched_filter_snr(noise, x, y, 14)) < 0.5
    image, x, y = field(0.4)
    same = matched_filter_snr(image, x, y, 14)
    assert matched_filter_snr(7 - 3 * image, x, y, 14) == pytest.approx(same, rel=1e-3)


def test_too_few_particles_or_no_ground_have_none():
    image, x, y = field(0.3)
    assert matched_filter_snr(image, x[:3], y[:3], 14) is None
    crowd = np.arange(30, 370, 10)
    assert matched_filter_snr(image, np.tile(crowd, 34), np.repeat(crowd, 34), 14) is None


def test_whitening_makes_the_power_one_everywhere():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2, 256, 256))
    image = (noise[0] + 10 * gaussian_filter(noise[1], 2)).astype(np.float32)
    assert np.ptp(np.log(radial_power(image, 1.0, 30)[1])) > 3
    _, power = radial_power(whitened(image), 1.0, 30)
    assert power[1:] == pytest.approx(1, rel=0.25)


def test_distance_is_that_of_logarithms_and_may_leave_the_finest_out():
    frequency = np.linspace(0.001, 0.1, 100)
    flat, other = np.zeros(100), np.where(frequency > 1 / 60, 2.0, 0.5)
    assert spectral_distance(frequency, flat, flat) == 0
    assert spectral_distance(frequency, flat, other, 60) == pytest.approx(0.5)
    assert 0.5 < spectral_distance(frequency, flat, other) < 2
