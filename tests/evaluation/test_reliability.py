from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.evaluation.reliability import BINS, reliability, score_bins
from cryopick_ray.evaluation.score import Ranked, pooled_reliability

rows = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=80)


def by_hand(pairs):
    """The definition, bin by bin."""
    error = 0.0
    for number in range(BINS):
        last = number == BINS - 1
        own = [(s, t) for s, t in pairs if number <= s * BINS < number + 1 or (last and s == 1)]
        if own:
            gap = sum(s for s, _ in own) / len(own) - sum(t for _, t in own) / len(own)
            error += len(own) / len(pairs) * abs(gap)
    return error if pairs else None


@given(rows)
def test_the_error_is_that_of_the_definition(pairs):
    found = reliability([s for s, _ in pairs], [t for _, t in pairs])
    assert found.ece_all == pytest.approx(by_hand(pairs))
    assert found.ece == pytest.approx(by_hand([(s, t) for s, t in pairs if s >= 0.05]))


@given(rows)
def test_no_candidate_is_lost_from_the_curve(pairs):
    bins = score_bins([s for s, _ in pairs], [t for _, t in pairs])
    assert sum(score_bin.count for score_bin in bins) == len(pairs)
    assert sum(score_bin.count * score_bin.share_true for score_bin in bins) == pytest.approx(
        sum(t for _, t in pairs)
    )
    assert [score_bin.mean_score for score_bin in bins] == sorted(score_bin.mean_score for score_bin in bins)


def test_scores_that_mean_what_they_say_have_no_error():
    rng = np.random.default_rng(0)
    score = rng.random(400_000)
    found = reliability(score, rng.random(len(score)) < score)
    assert found.ece < 0.005
    assert found.ece_all < 0.005
    for score_bin in found.bins:
        assert score_bin.share_true == pytest.approx(score_bin.mean_score, abs=0.02)


@pytest.mark.parametrize("surplus", [0.1, 0.25])
def test_a_constant_surplus_is_the_error(surplus):
    rng = np.random.default_rng(1)
    share = rng.uniform(0, 0.7, 400_000)
    found = reliability(share + surplus, rng.random(len(share)) < share)
    assert found.ece == pytest.approx(surplus, abs=0.005)
    assert found.ece_all == pytest.approx(surplus, abs=0.005)


def test_candidates_below_the_floor_count_among_all_alone():
    score, is_true = np.repeat([0.01, 0.9], [900, 100]), np.repeat([False, True], [900, 100])
    found = reliability(score, is_true)
    assert found.ece == pytest.approx(0.1)
    assert found.ece_all == pytest.approx(0.9 * 0.01 + 0.1 * 0.1)


def test_unlike_micrographs_are_one_population_and_what_has_no_scores_has_no_reliability():
    score, is_hit = np.array([0.2, 0.9], np.float32), np.array([False, True])
    ranked = Ranked(score, is_hit, 1, 1, 3)
    failed = Ranked(score[:0], is_hit[:0], 0, 0, 3, failed=True)
    other = replace(ranked, is_hit=~is_hit)
    assert pooled_reliability([ranked, failed]) == reliability(score, is_hit)
    assert [two.share_true for two in pooled_reliability([ranked, other]).bins] == [0.5, 0.5]
    assert pooled_reliability([ranked, replace(ranked, scored=False)]) is None
    assert pooled_reliability([failed]) is None


def test_what_cannot_be_measured_is_none():
    assert reliability([0.5, 1.5], [True, False]) is None
    assert reliability([-0.1], [True]) is None
    assert reliability([], []) is None
    assert reliability([0.01], [False]).ece is None
