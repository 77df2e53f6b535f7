"""Evenness of views: what it must say of sets of views that are known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cryopick_ray.particles.coverage import beam_axes, sampling_evenness
from cryopick_ray.simulate.projection import euler_to_rotations, random_rotations, rotations_to_euler


def even(n, seed=0):
    return rotations_to_euler(random_rotations(np.random.default_rng(seed), n))


def test_the_beam_is_that_of_the_simulator():
    angles = even(50)
    beam_in_molecule = np.linalg.inv(euler_to_rotations(angles)) @ np.array([0.0, 0.0, 1.0])
    assert np.allclose(beam_axes(angles), beam_in_molecule, atol=1e-9)


def test_even_views_are_even_and_one_view_is_not():
    assert sampling_evenness(even(20_000)) > 0.97
    top = np.column_stack([np.zeros(5000), np.zeros(5000), np.linspace(0, 360, 5000)])
    assert sampling_evenness(top) < 0.01
    assert sampling_evenness(np.zeros((0, 3))) == 0.0


def test_side_views_all_round_cover_everything_though_the_axis_most():
    rng = np.random.default_rng(1)
    sides = np.column_stack([rng.uniform(0, 360, 5000), np.full(5000, 90.0), rng.uniform(0, 360, 5000)])
    assert 0.5 < sampling_evenness(sides) < 0.9


@pytest.mark.parametrize("seed", [0, 1])
def test_turning_molecule_and_image_changes_nothing_but_noise(seed):
    angles = np.concatenate(
        [even(2000, seed), np.column_stack([np.zeros(2000), np.zeros(2000), np.zeros(2000)])]
    )
    turned = Rotation.from_euler("ZYZ", angles, degrees=True).inv()
    other = (turned * Rotation.random(rng=seed)).inv().as_euler("ZYZ", degrees=True)
    assert sampling_evenness(other) == pytest.approx(sampling_evenness(angles), rel=0.05)
    psi = angles + np.array([0, 0, 37.0])
    assert sampling_evenness(psi) == pytest.approx(sampling_evenness(angles), abs=1e-9)
