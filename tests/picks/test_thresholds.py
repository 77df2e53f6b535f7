import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cryopick_ray.picks.thresholds import auto_threshold, log_odds_threshold


def two(n_false, n_true, false_mean=-3.0, true_mean=4.0, sigma=1.5, seed=0):
    rng = np.random.default_rng(seed)
    scores = np.concatenate([rng.normal(false_mean, sigma, n_false), rng.normal(true_mean, sigma, n_true)])
    return scores, np.arange(len(scores)) >= n_false


def f1(scores, is_true, threshold):
    picked = scores >= threshold
    return 2 * is_true[picked].sum() / (picked.sum() + is_true.sum())


@pytest.mark.parametrize("n_true", [20, 200, 2_000, 20_000])
@pytest.mark.parametrize("n_false", [2_000, 20_000])
def test_two_populations_are_told_apart_whatever_their_shares(n_false, n_true):
    scores, is_true = two(n_false, n_true)
    best = max(f1(scores, is_true, threshold) for threshold in np.linspace(-6, 8, 100))
    assert f1(scores, is_true, auto_threshold(scores).value) > 0.9 * best


def test_the_cut_is_where_the_odds_are_equal():
    scores, _ = two(900_000, 100_000)
    expected = 0.5 + 1.5**2 * np.log(9) / 7
    assert auto_threshold(scores).value == pytest.approx(expected, abs=0.1)


@given(st.floats(1e-3, 1e3), st.floats(-100, 100))
def test_the_cut_follows_scale_and_zero(scale, zero):
    scores, _ = two(3_000, 1_000)
    expected = scale * auto_threshold(scores).value + zero
    assert auto_threshold(scale * scores + zero).value == pytest.approx(expected, abs=0.05 * scale)


def test_order_does_not_matter():
    scores, _ = two(3_000, 1_000)
    assert auto_threshold(np.random.default_rng(1).permutation(scores)) == auto_threshold(scores)


def test_a_few_freaks_move_nothing():
    scores, _ = two(30_000, 10_000)
    freaks = np.concatenate([scores, [1e30, -1e30, np.nan, np.inf, -np.inf]])
    assert auto_threshold(freaks).value == pytest.approx(auto_threshold(scores).value, abs=0.1)


def test_one_population_is_cut_in_half_and_called_so():
    found = auto_threshold(np.random.default_rng(0).normal(5, 2, 20_000))
    assert found.value == pytest.approx(5, abs=0.1)
    assert "one population" in found.method


def test_one_freak_is_no_population():
    scores = np.append(np.random.default_rng(0).normal(size=10_000), 1e30)
    assert abs(auto_threshold(scores).value) < 0.1


@pytest.mark.parametrize(
    ("scores", "value", "word"),
    [
        ([], 0.0, "no candidates"),
        ([np.nan] * 50, 0.0, "no candidates"),
        ([3.0, 1.0, 2.0], 1.0, "fewer than"),
        ([2.5] * 100, 2.5, "equal"),
        ([2.5] * 9_999 + [7.0], 2.5, "equal"),
    ],
)
def test_degenerate_scores_have_a_stated_way_out(scores, value, word):
    found = auto_threshold(np.array(scores, np.float32))
    assert found.value == value
    assert word in found.method


@given(arrays(np.float32, st.integers(0, 300), elements=st.floats(-1e6, 1e6, width=32)))
def test_any_scores_give_a_cut_among_them(scores):
    found = auto_threshold(scores)
    assert type(found.value) is float
    if len(scores):
        assert scores.min() <= found.value <= scores.max()


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(1, 5_000)), min_size=1, max_size=4))
def test_few_distinct_scores_give_a_cut_among_them(levels):
    scores = np.repeat([float(level) for level, _ in levels], [count for _, count in levels])
    assert scores.min() <= auto_threshold(scores).value <= scores.max()


@pytest.mark.parametrize("shift", [-3.0, 0.0, 2.0])
def test_a_cut_of_probabilities_is_that_of_their_log_odds_wherever_they_crowd(shift):
    rng = np.random.default_rng(0)
    odds = np.concatenate([rng.normal(-2, 1, 4000), rng.normal(3, 1, 1000)]) + shift
    found = log_odds_threshold(1 / (1 + np.exp(-odds)))
    assert np.log(found.value / (1 - found.value)) == pytest.approx(auto_threshold(odds).value, abs=1e-6)
    assert log_odds_threshold([0.0, 1.0] * 100).value == pytest.approx(0.5, abs=1e-4)
