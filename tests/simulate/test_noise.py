import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopick_ray.errors import UsageError
from cryopick_ray.simulate.noise import (
    IceStructure,
    coloured_noise,
    ice_power,
    ice_thickness,
    ice_transmission,
    scale_for_snr,
    slow_variation,
)
from cryopick_ray.simulate.spectrum import particle_snr, radial_power

SHAPES = st.tuples(st.integers(150, 260), st.integers(150, 260))


def full_plane_mean(power, shape):
    twice = np.full(power.shape[1], 2.0)
    twice[0] = 1
    if shape[1] % 2 == 0:
        twice[-1] = 1
    return (power.astype(np.float64) * twice).sum() / (shape[0] * shape[1])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), SHAPES, st.floats(0.1, 10))
def test_white_noise_has_the_power_asked_for(seed, shape, variance):
    power = np.full((shape[0], shape[1] // 2 + 1), variance, np.float32)
    noise = coloured_noise(np.random.default_rng(seed), shape, power)
    assert noise.shape == shape
    assert noise.dtype == np.float32
    assert noise.var() == pytest.approx(variance, rel=0.06)  # four standard errors of 150 x 150
    assert noise[:, 0].var() == pytest.approx(variance, rel=0.7)


@pytest.mark.parametrize("shape", [(512, 512), (511, 513)])
def test_ice_noise_has_its_power_at_every_frequency(shape):
    ice = IceStructure(level_rad2_A2=0.05, knee_A=40.0, slope=2.5)
    power = ice_power(ice, shape, 2.0)
    noise = coloured_noise(np.random.default_rng(1), shape, power)
    assert noise.var(dtype=np.float64) == pytest.approx(full_plane_mean(power, shape), rel=0.05)
    k, measured = radial_power(noise, 2.0, 20)
    expected = 0.05 / 4 * (1 + (k * 40) ** -2.5)
    np.testing.assert_allclose(measured[2:], expected[2:], rtol=0.15)


def test_columns_without_partner_carry_their_whole_power():
    power = np.zeros((256, 129), np.float32)
    power[:, [0, -1]] = 1
    variances = [coloured_noise(np.random.default_rng(s), (256, 256), power).var() for s in range(20)]
    assert np.mean(variances) == pytest.approx(2 / 256, rel=0.05)


def test_ice_level_does_not_depend_on_the_pixel_size():
    ice = IceStructure()
    coarse, fine = ice_power(ice, (64, 64), 4.0), ice_power(ice, (128, 128), 2.0)
    np.testing.assert_allclose(coarse[1:20, :20] * 4.0**2, fine[1:20, :20] * 2.0**2, rtol=1e-5)
    assert coarse[0, 0] == 0
    knee = ice_power(IceStructure(0.1, 64.0, 3.0), (64, 64), 1.0)
    assert knee[1, 0] == pytest.approx(0.2)


def test_noise_is_decided_by_the_seed():
    power = ice_power(IceStructure(), (64, 96), 3.0)
    first, again, other = (coloured_noise(np.random.default_rng(s), (64, 96), power) for s in (5, 5, 6))
    assert first.tobytes() == again.tobytes()
    assert np.abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.3


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), SHAPES, st.floats(0.01, 1))
def test_slow_variation_is_smooth_with_the_spread_asked_for(seed, shape, rms):
    variation = slow_variation(np.random.default_rng(seed), shape, rms)
    assert variation.shape == shape
    assert variation.mean() == pytest.approx(0, abs=1e-4 * rms + 1e-6)
    assert variation.std() == pytest.approx(rms, rel=1e-3)
    assert np.abs(np.diff(variation, axis=1)).max() < 0.5 * rms


def test_ice_thickness_and_transmission():
    thickness = ice_thickness(np.random.default_rng(2), (200, 300), 400.0, 0.2)
    assert thickness.mean() == pytest.approx(400, rel=1e-3)
    assert thickness.std() == pytest.approx(80, rel=1e-3)
    assert ice_thickness(np.random.default_rng(2), (200, 300), 400.0, 1.0).min() >= 0
    through = ice_transmission(np.array([[0, 3500, 7000]], np.float32), 3500.0)
    np.testing.assert_allclose(through, [[1, math.exp(-1), math.exp(-2)]], rtol=1e-6)


def test_signal_to_noise_ratio_is_the_one_asked_for():
    rng = np.random.default_rng(4)
    radius, size = 20, 61
    y, x = np.mgrid[:size, :size] - size // 2
    mask = np.hypot(x, y) <= radius
    blobs = [np.exp(-((x - a) ** 2 + (y - b) ** 2) / 50) for a, b in rng.uniform(-8, 8, (36, 2))]
    particles = np.array(blobs, np.float32)
    particles *= scale_for_snr(particles, mask, noise_power=4.0, snr=0.3)
    assert particles[:, mask].var(axis=1).mean() / 4.0 == pytest.approx(0.3, rel=1e-5)
    centres = np.array([(100 + 150 * i, 100 + 150 * j) for i in range(6) for j in range(6)], float)
    image = rng.normal(scale=2.0, size=(1000, 1000)).astype(np.float32)
    for (column, row), particle in zip(centres.astype(int), particles, strict=True):
        image[row - 30 : row + 31, column - 30 : column + 31] -= particle
    assert particle_snr(image, centres[:, 0], centres[:, 1], radius) == pytest.approx(0.3, rel=0.05)


def test_one_image_and_a_stack_of_it_scale_alike():
    signal = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    mask = np.ones((40, 40), bool)
    scale = scale_for_snr(signal, mask, 1.0, 0.5)
    assert scale_for_snr(np.stack([signal, signal]), mask, 1.0, 0.5) == pytest.approx(scale)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: IceStructure(level_rad2_A2=-1), "ice.noise_rad2_A2"),
        (lambda: IceStructure(slope=math.nan), "0 to 6"),
        (lambda: coloured_noise(np.random.default_rng(), (8, 8), np.ones((8, 8), np.float32)), r"\(8, 5\)"),
        (lambda: slow_variation(np.random.default_rng(), (8, 8), -0.1), "0 to 1"),
        (lambda: ice_thickness(np.random.default_rng(), (8, 8), 0.0, 0.1), "ice.thickness_A"),
        (lambda: ice_transmission(np.ones((2, 2), np.float32), -1.0), "mean free path"),
        (lambda: scale_for_snr(np.ones((4, 4), np.float32), np.ones((4, 4), bool), 1.0, 0.1), "ratio of"),
        (lambda: scale_for_snr(np.eye(4, dtype=np.float32), np.zeros((4, 4), bool), 1.0, 0.1), "variance 0"),
        (lambda: scale_for_snr(np.eye(4, dtype=np.float32), np.ones((4, 4), bool), 1.0, -0.1), "-0.1"),
    ],
)
def test_impossible_values_are_refused(make, named):
    with pytest.raises(UsageError, match=named):
        make()
