import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from cryopick_ray.evaluation.reliability import reliability
from cryopick_ray.pickers.calibration import adapted_to_share, calibrated, fitted_line


def drawn(slope, offset, count=20_000, seed=0):
    """Draw scores whose true log odds are a line of theirs."""
    rng = np.random.default_rng(seed)
    score = rng.beta(0.5, 0.9, count)
    true = rng.uniform(size=count) < expit(slope * logit(np.clip(score, 1e-6, 1 - 1e-6)) + offset)
    return score, true


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.5, -1.0), (2.0, 0.7)])
def test_the_line_that_scores_were_drawn_by_is_found(slope, offset):
    score, true = drawn(slope, offset)
    found = fitted_line(score, true)
    assert found == pytest.approx((slope, offset), abs=0.08)
    assert reliability(calibrated(score, found), true).ece_all < 0.01


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=50),
    st.floats(0.2, 4),
    st.floats(-3, 3),
)
def test_the_order_of_scores_is_kept_and_they_stay_between_0_and_1(scores, slope, offset):
    scores = np.sort(scores)
    found = calibrated(scores, (slope, offset))
    assert found.dtype == np.float32
    assert (np.diff(found) >= 0).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_the_line_of_slope_1_through_nothing_changes_nothing():
    scores = np.linspace(0.001, 0.999, 100)
    np.testing.assert_allclose(calibrated(scores, (1.0, 0.0)), scores, atol=1e-6)


@pytest.mark.parametrize("all_true", [True, False])
def test_candidates_that_are_all_alike_give_a_line_all_the_same(all_true):
    slope, offset = fitted_line(np.linspace(0.1, 0.9, 30), np.full(30, all_true))
    assert slope > 0
    assert np.isfinite(offset)


def crowd(share, count=4000, slope=1.0, seed=1):
    """Draw candidates of which a share are particles; their log odds suppose one half, as Bayes would."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(size=count) < share
    return rng.normal(np.where(true, 1.0, -1.0) * 1.5, np.sqrt(3.0)), true  # log odds of normals 3 apart


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.8])
def test_the_share_of_a_micrograph_is_found_and_its_scores_are_right(share):
    odds, true = crowd(share)
    as_they_are, own = expit(odds), expit(adapted_to_share(odds, 0.5, 1.0))
    assert own.mean() == pytest.approx(share, abs=0.03)
    assert reliability(own, true).ece_all < 0.03
    assert reliability(own, true).ece_all <= reliability(as_they_are, true).ece_all + 0.01


@given(st.lists(st.floats(-9, 9), max_size=40), st.floats(0.05, 0.9), st.floats(0, 1))
def test_matching_moves_all_alike_and_no_further_than_it_may(odds, prior, trust):
    odds = np.array(odds)
    moved = adapted_to_share(odds, prior, trust) - odds
    assert np.ptp(moved) < 1e-9 if len(odds) else not len(moved)
    np.testing.assert_allclose(adapted_to_share(odds, prior, 0.0), odds)


def test_an_empty_field_is_lowered_and_a_crowd_is_lifted():
    doubtful = np.full(300, -1.0)
    empty, full = np.append(doubtful, [-4.0] * 300), np.append(doubtful, [3.0] * 300)
    assert adapted_to_share(empty, 0.35, 0.6)[0] < -1 < adapted_to_share(full, 0.35, 0.6)[0]
    assert abs(adapted_to_share(np.array([-1.0]), 0.35, 0.6)[0] + 1) < 0.1  # one candidate decides little
