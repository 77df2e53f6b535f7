"""Which of equals a pick finds, and what is told apart that lies close together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.picks.matching import FREE, match, offsets

POINTS = st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)), min_size=1, max_size=8)


def test_of_picks_with_equal_scores_the_first_given_comes_first():
    n = 3000  # more than a sort keeps in order by chance
    x_px, score = np.arange(float(n)), np.resize([1.0, 1.0, 2.0], n)
    finds = match(x_px, np.zeros(n), score, [0.0], [0.0], n)
    assert np.flatnonzero(finds != FREE).tolist() == [2]
    assert match(x_px, np.zeros(n), np.ones(n), [n - 1.0], [0.0], n).tolist() == [0] + [FREE] * (n - 1)


def test_of_particles_as_near_the_first_given_is_found():
    assert match([5, 5], [5, 5], [2, 1], [5, 8, 2, 5], [2, 5, 5, 8], 3).tolist() == [0, 1]


@pytest.mark.parametrize("seed", range(8))
def test_of_many_particles_as_near_the_first_given_is_found(seed):
    ring = [(x, y) for x in range(-5, 6) for y in range(-5, 6) if x * x + y * y == 25]
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.concatenate([ring, rng.uniform(20, 90, (200, 2))]))
    near = np.flatnonzero(np.hypot(*truth.T) == 5)
    finds = match(np.zeros(12), np.zeros(12), np.ones(12), truth[:, 0], truth[:, 1], 5)
    assert finds.tolist() == near.tolist()


@pytest.mark.parametrize("better", [np.nextafter(1.0, 2.0), 1.0 + 1e-9, np.inf])
def test_a_score_is_better_by_however_little(better):
    assert match([0, 1], [0, 0], [1.0, better], [0], [0], 5).tolist() == [FREE, 0]


def test_a_particle_is_nearer_by_however_little():
    far = 20_000.0  # where float32 tells no thousandth of a pixel
    assert match([far + 4e-4], [far], [1], [far - 1, far + 1 + 6e-4], [far, far], 5).tolist() == [1]
    assert match([far], [far], [1], [far + 1, far + 1 - 1e-6], [far, far], 5).tolist() == [1]


@given(POINTS, POINTS, st.floats(1, 99), st.data())
def test_an_offset_is_the_distance_to_what_is_found_in_diameters(picks, truth, diameter_px, data):
    finds = np.array(data.draw(st.lists(st.integers(FREE, len(truth) - 1), min_size=len(picks))))[
        : len(picks)
    ]
    found = [
        np.hypot(*np.subtract(pick, truth[i])) for pick, i in zip(picks, finds, strict=True) if i != FREE
    ]
    told = offsets(np.array(picks), np.array(truth), finds, diameter_px)
    assert told.dtype == np.float32
    np.testing.assert_allclose(told, np.array(found) / diameter_px, rtol=1e-6, atol=1e-9)
