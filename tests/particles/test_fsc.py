"""Fourier shell correlation: what it says of equal, of unrelated and of masked maps."""

import math

import numpy as np
import pytest
from made_images import molecule

from cryopick_ray.errors import UsageError
from cryopick_ray.particles.volume.fsc import agreement, fsc, randomised_beyond, resolution_A, shells
from cryopick_ray.particles.volume.gridding import sphere

SIDE = 32
ALL = np.ones((SIDE,) * 3, np.float32)


@pytest.fixture
def noises():
    return np.random.default_rng(0).normal(size=(2, SIDE, SIDE, SIDE)).astype(np.float32)


def test_a_map_agrees_with_itself_and_not_with_noise(noises):
    assert np.allclose(fsc(noises[0], noises[0]), 1)
    assert np.allclose(fsc(noises[0], -3 * noises[0]), -1)
    assert np.abs(fsc(*noises)[8:]).max() < 0.15


def test_signal_in_noise_has_the_correlation_of_its_share(noises):
    signal = np.random.default_rng(1).normal(size=(SIDE,) * 3).astype(np.float32)
    assert fsc(signal + noises[0], signal + noises[1])[8:].mean() == pytest.approx(0.5, abs=0.02)
    assert fsc(signal, signal + noises[1])[8:].mean() == pytest.approx(math.sqrt(0.5), abs=0.02)


def test_the_mean_of_a_map_does_not_say_where_phases_are_random(noises):
    signal = 3 * molecule(SIDE) / molecule(SIDE).std()
    first, second = (signal - signal.mean() + noise for noise in noises)
    same, other = (agreement(first + 0.01, second + mean, ALL, 1.0) for mean in (0.01, -0.01))
    assert same.randomised_from == other.randomised_from > 1


def test_an_empty_map_agrees_with_nothing():
    assert np.array_equal(fsc(0 * ALL, molecule()), np.zeros(SIDE // 2 + 1))


def test_maps_of_two_sizes_are_refused():
    with pytest.raises(UsageError, match="expected cubes of one size"):
        fsc(ALL, np.ones((16,) * 3, np.float32))


def test_resolution_is_between_shells():
    curve = np.array([1.0, 0.9, 0.7, 0.3, 0.1])
    assert resolution_A(curve, 100, 0.5) == pytest.approx(100 / 2.5)
    assert resolution_A(curve, 100, 0.05) == 100 / 4
    assert resolution_A(curve, 100, 0.95) == math.inf
    assert resolution_A(np.array([1, 0.6, 0.1, 0.6]), 100, 0.5) == pytest.approx(100 / 1.2)


def test_random_phases_keep_amplitudes(noises):
    made = randomised_beyond(noises[0], 8, np.random.default_rng(0))
    correlation = fsc(made, noises[0])
    assert np.allclose(correlation[:8], 1, atol=1e-4)
    assert np.abs(correlation[9:]).max() < 0.15
    power = [np.abs(np.fft.rfftn(item)) ** 2 for item in (made, noises[0])]
    assert power[0][:, :, 1:-1].sum() == pytest.approx(power[1][:, :, 1:-1].sum(), rel=1e-3)


def test_what_a_tight_mask_makes_agree_is_taken_off(noises):
    """Two maps share frequencies below shell 6 only; a mask smears these over the others."""
    tight = sphere(SIDE, 4.0, 1.0).numpy()
    spectrum = np.fft.rfftn(np.random.default_rng(2).normal(size=(SIDE,) * 3))
    spectrum[(shells(SIDE) > 5).reshape(spectrum.shape)] = 0
    signal = (100 * np.fft.irfftn(spectrum)).astype(np.float32)
    found = agreement(signal + noises[0], signal + noises[1], tight, 4.0)
    assert found.randomised_from == 6
    assert np.abs(found.unmasked[8:]).mean() < 0.1
    assert found.masked[8:12].min() > 0.9
    assert np.abs(found.corrected[8:]).mean() < 0.2
    assert np.isnan(found.randomised[:6]).all()
    assert np.array_equal(found.corrected[:6], found.masked[:6])
    assert found.frequency_per_A[-1] == pytest.approx(1 / 8)


def test_equal_seeds_correct_alike(noises):
    ball = sphere(SIDE, 10.0, 3.0).numpy()
    first, again, second = (agreement(*noises, ball, 1.0, seed).corrected for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)
