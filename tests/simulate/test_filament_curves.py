import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import KDTree

from cryopick_ray.simulate.plane_curves import STEP, beside, clear_of_itself, even, runs, worm


def rng(seed=0):
    return np.random.default_rng(seed)


def headings(curve):
    return np.unwrap(np.arctan2(*np.diff(curve, axis=0).T[::-1]))


@given(seed=st.integers(0, 2**32), length=st.floats(2, 200), persistence=st.floats(5, 1e6))
@settings(max_examples=40, deadline=None)
def test_a_worm_is_as_long_as_asked_runs_through_the_origin_and_has_no_kinks(seed, length, persistence):
    curve = worm(rng(seed), length, persistence, 3.0)
    assert np.hypot(*np.diff(curve, axis=0).T) == pytest.approx(STEP)
    assert (len(curve) - 1) * STEP == pytest.approx(length, abs=STEP)
    assert np.hypot(*curve.T).min() == 0
    assert np.abs(np.diff(headings(curve))).max() <= STEP / 3 + 1e-9


@pytest.mark.parametrize("persistence", [20.0, 60.0])
def test_a_worm_forgets_its_direction_over_its_persistence_length(persistence):
    random, away = rng(1), round(persistence / STEP)
    cosines = []
    for _ in range(300):
        turned = headings(worm(random, 4 * persistence, persistence, 0.5))
        cosines.append(np.cos(turned[away:] - turned[:-away]).mean())
    assert np.mean(cosines) == pytest.approx(np.exp(-1), abs=0.06)


def test_worms_lie_in_all_directions():
    random = rng(2)
    ends = np.array([worm(random, 10, 1e6, 3)[-1] - worm(random, 10, 1e6, 3)[0] for _ in range(400)])
    assert np.abs((ends / np.hypot(*ends.T)[:, None]).mean(axis=0)).max() < 0.15


@pytest.mark.parametrize("distance", [-2.0, 1.2])
def test_a_parallel_stays_at_its_distance_on_its_side(distance):
    angle = np.linspace(0, 3, 1000)
    arc = even(20 * np.column_stack([np.cos(angle), np.sin(angle)]))
    line = beside(arc, distance)
    assert np.hypot(*line.T) == pytest.approx(20 - distance, abs=0.02)  # the left of it is inside
    assert np.hypot(*np.diff(line, axis=0).T) == pytest.approx(STEP, rel=0.01)


def test_runs_are_the_stretches_that_are_kept():
    kept = np.array([1, 1, 0, 1, 0, 0, 1], bool)
    assert runs(kept) == [slice(0, 2), slice(3, 4), slice(6, 7)]
    assert runs(np.zeros(3, bool)) == []


def test_a_curve_ends_before_it_comes_back_to_itself():
    angle = np.linspace(0, 4 * np.pi, 4000)
    spiral = even((10 + 0.2 * angle)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]))
    ended = clear_of_itself(spiral, 1.5)
    assert 0.8 * 2 * np.pi * 10 < len(ended) * STEP < 1.1 * 2 * np.pi * 10
    near = KDTree(ended).query_pairs(1.2, output_type="ndarray")
    assert np.abs(near[:, 1] - near[:, 0]).max() * STEP < 5
    straight = spiral[:200]
    assert clear_of_itself(straight, 1.5) is straight
