"""Whether what comes is still like what came first."""

from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.runs.watch.drift import WINDOW, PickStatistics, diameter_drift, drift


def like(count, score, n=WINDOW):
    return [PickStatistics(count, score)] * n


@given(st.integers(0, 500), st.floats(0, 1), st.integers(0, 3 * WINDOW))
def test_what_stays_as_it_was_is_not_told(count, score, n):
    assert drift(like(count, score, n)) == []


def test_counts_that_fall_or_rise_to_another_magnitude_are_told_with_both_numbers():
    [line] = drift([*like(100, 0.8), *like(30, 0.8)])
    assert "100 in the first 50, 30 in the last 50" in line
    assert len(drift([*like(30, 0.8), *like(100, 0.8)])) == 1
    assert len(drift([*like(100, 0.8), *like(0, 0.0)])) == 1
    assert drift([*like(100, 0.8), *like(60, 0.8)]) == []


def test_scores_that_fall_are_told():
    [line] = drift([*like(100, 0.8), *like(90, 0.6)])
    assert "0.80 in the first 50, 0.60 in the last 50 (-0.20)" in line


def test_few_micrographs_tell_nothing_yet():
    assert drift([*like(100, 0.8), *like(1, 0.2, WINDOW - 1)]) == []


def test_a_diameter_is_told_where_it_is_another():
    assert diameter_drift(150, 160) == []
    [line] = diameter_drift(150, 200)
    assert "200 A" in line
    assert "150 A" in line
