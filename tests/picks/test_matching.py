import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.picks.matching import match

PLACES = st.integers(0, 12).map(float)
POINTS = st.lists(st.tuples(PLACES, PLACES), max_size=15)
SCORED = st.lists(st.tuples(PLACES, PLACES, st.integers(0, 5).map(float)), max_size=15)


def columns(rows, n):
    return np.array(rows, float).reshape(-1, n).T


def brute(picks, truth, radius):
    """The definition, read out loud."""
    found, free = [-1] * len(picks), set(range(len(truth)))
    for pick in sorted(range(len(picks)), key=lambda index: (-picks[index][2], index)):
        x, y, _ = picks[pick]
        distance = {particle: np.hypot(truth[particle][0] - x, truth[particle][1] - y) for particle in free}
        within = [particle for particle in sorted(free) if distance[particle] <= radius]
        if within:
            found[pick] = min(within, key=lambda particle: distance[particle])
            free.remove(found[pick])
    return found


@given(SCORED, POINTS, st.sampled_from([0, 1, 2.5, 5, 30]))
def test_each_pick_best_first_takes_the_nearest_free_particle(picks, truth, radius):
    assert match(*columns(picks, 3), *columns(truth, 2), radius).tolist() == brute(picks, truth, radius)


@given(SCORED, POINTS, st.integers(0, 5))
def test_picks_below_a_threshold_change_nothing_above_it(picks, truth, threshold):
    x, y, score = columns(picks, 3)
    above = score >= threshold
    whole = match(x, y, score, *columns(truth, 2), 3)
    assert match(x[above], y[above], score[above], *columns(truth, 2), 3).tolist() == whole[above].tolist()


@given(SCORED, POINTS)
def test_no_particle_is_found_twice(picks, truth):
    found = match(*columns(picks, 3), *columns(truth, 2), 4)
    taken = found[found >= 0]
    assert len(set(taken.tolist())) == len(taken)


def test_the_radius_is_included():
    assert match([0], [0], [1], [3], [4], 5).tolist() == [0]
    assert match([0], [0], [1], [3], [4], np.nextafter(5, 0)).tolist() == [-1]


@pytest.mark.parametrize(("n_picks", "n_truth"), [(0, 0), (0, 3), (3, 0)])
def test_nothing_matches_nothing(n_picks, n_truth):
    picks, truth = np.zeros(n_picks), np.zeros(n_truth)
    assert match(picks, picks, picks, truth, truth, 5).tolist() == [-1] * n_picks
