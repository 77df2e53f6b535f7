import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cryopick_ray.picks.cuts import Scores, cut_at_count, cut_at_precision, steps

scores = arrays(np.float32, st.integers(1, 60), elements=st.floats(0, 1, width=32))
tied = arrays(np.float32, st.integers(1, 60), elements=st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9]))
share = st.floats(0.01, 1)


def calibrated(n, seed=0):
    """Scores of which a share s of those of score s are particles, and which are."""
    rng = np.random.default_rng(seed)
    score = rng.beta(0.5, 0.7, n).astype(np.float32)
    return score, rng.random(n) < score


@pytest.mark.parametrize("wanted", [0.6, 0.75, 0.9, 0.98])
def test_calibrated_scores_keep_the_precision_that_they_promise(wanted):
    score, is_true = calibrated(200_000)
    picked = score >= np.float32(cut_at_precision(Scores(score, 10), wanted).value)
    noise = np.sqrt(wanted * (1 - wanted) / picked.sum())
    assert is_true[picked].mean() == pytest.approx(wanted, abs=4 * noise)
    assert is_true[picked].sum() > 1_000


@given(st.one_of(scores, tied), share)
def test_the_cut_is_the_lowest_that_reaches_the_precision(score, wanted):
    cut = cut_at_precision(Scores(score, 1), wanted)
    context = {float(one): float(score[score >= one].mean(dtype=np.float64)) for one in score}
    reached = [one for one, mean in context.items() if mean >= wanted - 1e-6]
    if reached:
        assert (cut.value, cut.doubt) == (min(reached), "")
    else:
        assert not (score >= np.float32(cut.value)).any()
        assert "nothing is picked" in cut.doubt


@given(st.one_of(scores, tied), share, share)
def test_more_precision_is_never_a_lower_cut(score, one, other):
    low, high = (cut_at_precision(Scores(score, 1), wanted).value for wanted in sorted((one, other)))
    assert low <= high


def test_what_all_scores_promise_is_had_for_all_of_them():
    score = np.full(7, 0.9, np.float32)  # a little below 0.9
    assert cut_at_precision(Scores(score, 1), 0.9).value == np.float32(0.9)


@given(
    st.lists(st.integers(0, 2**20), min_size=1, max_size=60, unique=True),
    st.integers(1, 5),
    st.floats(0.01, 80),
)
def test_where_scores_differ_the_count_is_reached_within_half_a_pick(numbers, micrographs, expected):
    score = np.array(numbers, np.float32)
    cut = cut_at_count(Scores(score, micrographs), expected)
    picked, wanted = int((score >= np.float32(cut.value)).sum()), expected * micrographs
    assert abs(picked - min(wanted, len(score))) <= 0.5
    assert bool(cut.doubt) == (wanted > len(score) + 0.5)


@given(tied, st.floats(0.5, 80))
def test_no_cut_through_equal_scores_comes_nearer_to_the_count(score, expected):
    cut = cut_at_count(Scores(score, 1), expected)
    picked = int((score >= np.float32(cut.value)).sum())
    counts = [0, *(int((score >= one).sum()) for one in score)]
    assert picked == min(counts, key=lambda count: (abs(count - expected), count))


def test_a_count_is_of_all_micrographs_also_of_those_without_candidates():
    score = np.linspace(0, 1, 100, dtype=np.float32)
    cut = cut_at_count(Scores(score, micrographs=20), 2)
    assert (score >= np.float32(cut.value)).sum() == 40
    assert cut.method == "2 picks a micrograph expected: 2 found"


@pytest.mark.parametrize("choose", [cut_at_count, cut_at_precision])
def test_the_order_of_the_scores_does_not_matter_and_none_are_no_picks(choose):
    score, _ = calibrated(1_000)
    shuffled = np.random.default_rng(1).permutation(score)
    assert choose(Scores(shuffled, 3), 0.8) == choose(Scores(score, 3), 0.8)
    assert choose(Scores(score[:0], 3), 0.8).method == "no candidates"


def test_every_tenth_score_gives_nearly_the_cuts_of_all():
    score, _ = calibrated(200_000)
    tenth = Scores(np.sort(score)[5::10], 100, one_of=10)
    whole = Scores(score, 100)
    for choose, wanted in ((cut_at_count, 700), (cut_at_precision, 0.9)):
        assert choose(tenth, wanted).value == pytest.approx(choose(whole, wanted).value, abs=1e-3)


def test_a_step_counts_what_is_at_or_above_it():
    found = steps([0.5, 1.0, 0.5, 0.25])
    assert found.score.tolist() == [1.0, 0.5, 0.25]
    assert found.count.tolist() == [1, 3, 4]
    assert found.total.tolist() == [1.0, 2.0, 2.25]
