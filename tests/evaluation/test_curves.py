import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.evaluation.curves import curve

RANKED = st.lists(st.tuples(st.integers(0, 6).map(float), st.booleans()), min_size=1, max_size=40)


def split(ranked):
    return np.array([score for score, _ in ranked]), np.array([hit for _, hit in ranked])


@given(RANKED, st.integers(0, 9))
def test_every_point_counts_the_picks_at_or_above_its_threshold(ranked, missed):
    score, hit = split(ranked)
    n_truth = int(hit.sum()) + missed
    found = curve(score, hit, n_truth)
    assert found.threshold.tolist() == sorted(set(score.tolist()), reverse=True)
    for threshold, precision, recall, f1 in zip(
        found.threshold, found.precision, found.recall, found.f1, strict=True
    ):
        picked = score >= threshold
        hits = hit[picked].sum()
        assert precision == hits / picked.sum()
        assert recall == (hits / n_truth if n_truth else 0)
        assert f1 == pytest.approx(2 * precision * recall / (precision + recall) if hits else 0)


@given(RANKED, st.integers(0, 9))
def test_average_precision_is_precision_weighted_by_the_gain_in_recall(ranked, missed):
    score, hit = split(ranked)
    n_truth = int(hit.sum()) + missed
    expected, before = 0.0, 0.0
    for threshold in sorted(set(score.tolist()), reverse=True):
        picked = score >= threshold
        recall = hit[picked].sum() / max(n_truth, 1)
        expected += (recall - before) * hit[picked].mean()
        before = recall
    assert curve(score, hit, n_truth).average_precision() == pytest.approx(expected)


def test_average_precision_without_ties_is_the_mean_precision_at_each_particle():
    # hits at ranks 1, 3 and 4; one of four particles never found
    assert curve([9, 8, 7, 6], [1, 0, 1, 1], 4).average_precision() == pytest.approx((1 + 2 / 3 + 3 / 4) / 4)


def test_a_perfect_ranking_of_half_the_particles_scores_half():
    found = curve([3, 2], [True, True], 4)
    assert found.average_precision() == 0.5
    assert found.best() == (2 * 2 / 6, 2.0)


@given(RANKED)
def test_best_is_the_highest_f1_and_its_threshold_gives_it(ranked):
    score, hit = split(ranked)
    n_truth = int(hit.sum()) + 1
    f1, threshold = curve(score, hit, n_truth).best()
    assert f1 == max(2 * hit[score >= cut].sum() / ((score >= cut).sum() + n_truth) for cut in score)
    assert f1 == 2 * hit[score >= threshold].sum() / ((score >= threshold).sum() + n_truth)


def test_no_picks_have_no_best_and_no_area():
    empty = curve([], [], 5)
    assert empty.best() is None
    assert empty.average_precision() == 0


@given(RANKED, st.integers(0, 9), st.floats(0, 1))
def test_recall_at_a_precision_is_the_best_of_thresholds_that_reach_it(ranked, missed, precision):
    score, hit = split(ranked)
    found = curve(score, hit, int(hit.sum()) + missed)
    picks = [score >= threshold for threshold in score]
    fit = [hit[picked].sum() for picked in picks if hit[picked].mean() >= precision]
    assert found.recall_at(precision) == pytest.approx(max(fit, default=0) / max(found.n_truth, 1))
