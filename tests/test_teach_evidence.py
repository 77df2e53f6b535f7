"""What held-back marks say: whether another threshold, or what was learned, is better."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.runs.teach_evidence import Answers, as_strict, kept_share, suggested
from cryopick_ray.runs.teaching import judged

SCORES = st.lists(st.floats(0.01, 0.99), min_size=4, max_size=12).map(np.array)


def found(x, score=None):
    x = np.float32(x)
    return Candidates(x, 0 * x, np.float32(np.ones(len(x)) if score is None else score))


@given(SCORES, SCORES, st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_another_threshold_is_chosen_only_where_marks_are_likelier_for_it(particles, wrong, usual, other):
    marks = Answers(particles, wrong)
    chosen = marks.chosen(usual, other)
    assert chosen in (usual, other)
    assert marks.unlikeliness(chosen) <= marks.unlikeliness(usual)


@given(SCORES, SCORES, st.floats(0.05, 0.95))
def test_marks_on_their_sides_and_in_order_are_counted(particles, wrong, threshold):
    marks = Answers(particles, wrong)
    assert 0 <= marks.right(threshold) <= len(marks) == len(particles) + len(wrong)
    swapped = Answers(wrong, particles)
    assert abs(marks.in_order + swapped.in_order - 1) < 1e-9
    if particles.min() > wrong.max():
        assert marks.in_order == 1
        assert marks.right(float(particles.min())) == len(marks)


def test_a_threshold_far_too_high_is_lowered():
    marks = Answers(np.linspace(0.1, 0.4, 10), np.linspace(0.02, 0.1, 10))
    assert marks.chosen(0.5, 0.15) == 0.15


def test_without_candidates_enough_the_usual_threshold_is_suggested():
    assert suggested([found([1, 2, 3])], 0.5) == 0.5
    rng = np.random.default_rng(0)
    two = np.concatenate([rng.normal(-3, 0.5, 200), rng.normal(2, 0.5, 100)])
    assert 0.2 < suggested([found(np.arange(300), 1 / (1 + np.exp(-two)))], 0.9) < 0.8


def test_a_taught_model_is_at_least_as_strict_as_before_it_was_taught():
    score = np.linspace(0.99, 0.3, 70)
    one = [found(np.arange(70), score)]
    for count in (0, 1, 20, 70, 99):
        threshold = as_strict(one, count, 0.5)
        assert threshold >= 0.5
        assert (score >= threshold).sum() <= max(count, 0) or threshold == 0.5
        assert threshold == 0.5 or (score >= threshold - 0.02).sum() >= count
    assert as_strict(one, 60, 0.5) == 0.5


def test_picks_that_are_still_there_are_counted():
    assert kept_share([found([0, 10, 20, 30])], [found([1, 31, 99])], [2.0]) == 0.5
    assert kept_share([found([])], [found([1])], [2.0]) == 1.0
    assert kept_share([found([1])], [found([])], [2.0]) == 0.0


BAD = Answers(np.full(10, 0.1), np.full(10, 0.9))
GOOD = Answers(np.full(10, 0.9), np.full(10, 0.1))
CHANCE = Answers(np.full(10, 0.5), np.full(10, 0.5))


def test_what_tells_marks_apart_is_kept_unless_it_forgot_the_rest():
    assert judged(BAD, GOOD, (0.5, 0.5, 0.5), share=0.9) == "taught"
    assert judged(BAD, GOOD, (0.5, 0.5, 0.5), share=0.5) == "as it was"
    assert judged(BAD, GOOD, (0.5, 0.3, 0.5), share=0.5) == "threshold"
    assert judged(GOOD, BAD, (0.5, 0.5, 0.5), share=1.0) == "as it was"
    assert judged(GOOD, GOOD, (0.5, 0.5, 0.5), share=1.0) == "as it was"
    assert judged(CHANCE, CHANCE, (0.5, 0.5, 0.5), share=1.0) == "as it was"
