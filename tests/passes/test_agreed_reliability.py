from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pickers import agreed_on, micrographs, sites_of

from cryopick_ray.errors import UsageError
from cryopick_ray.passes.agreed_reliability import reliability
from cryopick_ray.passes.clusters import CandidatePlaces, Groups, greedy
from cryopick_ray.passes.patterns import Patterns, levels, patterns, score_cuts, total

NAMES = ("a", "b", "c")
LEVEL = st.integers(0, 3)
ROWS = st.lists(st.tuples(LEVEL, LEVEL, LEVEL, st.integers(1, 500)), min_size=1, max_size=20)


def made(rows):
    """Patterns of (levels..., count), each pattern once."""
    some = {row[:3]: row[3] for row in rows if any(row[:3])}
    level = np.array(sorted(some), np.uint8).reshape(-1, 3)
    return Patterns(NAMES, level, np.array([some[key] for key in sorted(some)], np.int64))


PICKERS = {"good": (0.9, 20), "greedy": (0.95, 250), "shy": (0.4, 15), "poor": (0.6, 300), "fair": (0.8, 80)}


@pytest.mark.parametrize("names", [("good", "greedy", "shy"), ("greedy", "poor", "fair"), tuple(PICKERS)])
def test_agreement_tells_precision_recall_and_how_many_there_are(names):
    pickers = {name: PICKERS[name] for name in names}
    lists = [one for _, one in micrographs(pickers, particles=300)]
    told = reliability(agreed_on(lists), sites_of(len(lists)))
    for name, precision, found in zip(told.names, told.precision, told.recall, strict=True):
        recall, false = pickers[name]
        assert precision == pytest.approx(300 * recall / (300 * recall + false), abs=0.06)
        assert found == pytest.approx(recall, abs=0.06)
    assert told.rates.particles == pytest.approx(4 * 300, rel=0.08)
    assert told.doubts == ()


def test_a_group_is_the_likelier_a_particle_the_more_have_it_and_the_higher_they_score():
    lists = [one for _, one in micrographs({name: PICKERS[name] for name in ("good", "greedy", "shy")})]
    told = reliability(agreed_on(lists), sites_of(len(lists)))
    alone, surer, two, three = told.posterior(
        np.array([[0, 1, 0], [0, 3, 0], [0, 3, 1], [2, 3, 1]], np.uint8)
    )
    assert 0 < alone < surer < two < three < 1


@settings(max_examples=40)
@given(ROWS, st.sampled_from([1.0, 300.0, 1e5]))
def test_probabilities_are_probabilities_whatever_the_patterns(rows, sites):
    agreed = made(rows)
    told = reliability(agreed, sites)
    everything = np.array(np.meshgrid(*[range(4)] * 3)).reshape(3, -1).T.astype(np.uint8)
    posterior = told.posterior(everything * told.active)
    assert ((posterior >= 0) & (posterior <= 1)).all()
    assert ((told.precision > 0) & (told.precision <= 1)).all()
    assert told.recall is None or ((told.recall > 0) & (told.recall < 1)).all()


@given(ROWS, st.randoms(use_true_random=False))
def test_order_and_partition_of_micrographs_do_not_matter(rows, order):
    parts = [made([row]) for row in rows for _ in range(row[3] % 2 + 1)]
    shuffled = order.sample(parts, len(parts))
    at = order.randint(0, len(parts))
    halves = [total(half) for half in (shuffled[:at], shuffled[at:]) if half]
    whole, again = total(parts), total(halves)
    assert whole.level.tolist() == again.level.tolist()
    assert whole.count.tolist() == again.count.tolist()


@settings(max_examples=40)
@given(ROWS)
def test_a_picker_that_has_nothing_changes_nothing(rows):
    agreed = made(rows)
    with_nobody = Patterns(
        ("a", "b", "bb", "c"), np.insert(agreed.level, 2, 0, axis=1).astype(np.uint8), agreed.count
    )
    before, after = reliability(agreed, 1e4), reliability(with_nobody, 1e4)
    assert after.posterior(with_nobody.level).tolist() == before.posterior(agreed.level).tolist()
    assert np.delete(after.precision, 2).tolist() == before.precision.tolist()
    assert (after.rates and after.rates.particles) == (before.rates and before.rates.particles)
    assert after.active.tolist() == np.insert(before.active, 2, False).tolist()


def test_equal_tables_are_taken_for_true_but_doubted():
    ((_, lists),) = micrographs({"a": (0.9, 30)}, n=1)
    told = reliability(agreed_on([dict.fromkeys(NAMES, lists["a"])]), sites_of(1))
    assert told.precision.min() > 0.99
    assert [doubt.split(" are ")[0] for doubt in told.doubts] == ["a and b", "a and c", "b and c"]


@pytest.mark.parametrize(
    ("pickers", "why"),
    [
        ({"a": (0.9, 30), "b": (0.5, 10)}, "agreement tells nothing of 2 pickers, it takes 3"),
        ({"a": (0.9, 30), "b": (0.5, 10), "c": (0.0, 0)}, "agreement tells nothing of 2 pickers, it takes 3"),
        ({"a": (0.0, 200), "b": (0.0, 200), "c": (0.0, 200)}, "would be chance"),
    ],
)
def test_where_agreement_tells_nothing_all_count_alike(pickers, why):
    lists = [one for _, one in micrographs(pickers)]
    told = reliability(agreed_on(lists), sites_of(len(lists)))
    assert why in told.doubts[0]
    assert set(told.weights.values()) == {1.0}
    assert told.recall is None
    n_active = sum(told.active)
    votes = np.array([[1, 0, 0], [1, 3, 0]], np.uint8)[:, : len(pickers)]
    assert told.posterior(votes).tolist() == [1 / n_active, 2 / n_active]


def test_tables_that_share_nothing_tell_nothing():
    apart = Patterns(NAMES, np.diag([1, 2, 3]).astype(np.uint8), np.array([100, 200, 300]))
    assert "pairs of pickers share 0 places" in reliability(apart, 1e4).doubts[0]


def test_pickers_that_err_alike_are_doubted():
    agreed = agreed_on(list(_with_copied_errors()))
    doubts = reliability(agreed, sites_of(4)).doubts
    assert any(doubt.startswith("copy and original share") for doubt in doubts)


def _with_copied_errors():
    """Five pickers, of whom one repeats the false places of another."""
    pickers = {"original": (0.8, 100), "b": (0.7, 40), "c": (0.8, 60), "d": (0.6, 40)}
    for true, lists in micrographs(pickers):
        source, generator = lists["original"], np.random.default_rng(7)
        apart = np.hypot(source.x_px[:, None] - true[:, 0], source.y_px[:, None] - true[:, 1]).min(axis=1)
        kept = (apart > 12) | (generator.random(len(apart)) < 0.6)
        copied = (column[kept] for column in (source.x_px, source.y_px, source.score))
        yield {**lists, "copy": CandidatePlaces(*copied)}


def test_levels_are_thirds_of_all_scores():
    score = np.arange(9.0)
    lists = {
        "a": CandidatePlaces(100 * score, score, score),
        "b": CandidatePlaces(score[:1], score[:1], np.array([np.nan])),
    }
    groups = greedy(lists, 5.0)
    found = levels(groups, lists, {name: score_cuts(one.score) for name, one in lists.items()})
    assert found[:, 0].tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert found[:, 1].tolist() == [1] + [0] * 8


def test_patterns_count_each_group_once():
    found = patterns(NAMES, np.array([[1, 0, 2], [0, 1, 0], [1, 0, 2]], np.uint8))
    assert found.level.tolist() == [[0, 1, 0], [1, 0, 2]]
    assert found.count.tolist() == [1, 2]
    assert found.shared.tolist() == [[2, 0, 2], [0, 1, 0], [2, 0, 2]]


@pytest.mark.parametrize("parts", [[], [made([(1, 1, 1, 1)]), patterns(("a",), np.ones((1, 1), np.uint8))]])
def test_parts_that_do_not_go_together_are_refused(parts):
    with pytest.raises(UsageError):
        total(parts)


@pytest.mark.parametrize("sites", [0.0, -1.0, np.nan])
def test_a_number_of_sites_that_is_none_is_refused(sites):
    with pytest.raises(UsageError, match="`sites`"):
        reliability(made([(1, 1, 1, 9)]), sites)


def test_equal_patterns_tell_the_same():
    lists = [one for _, one in micrographs({name: PICKERS[name] for name in ("good", "fair", "shy")})]
    first, second = (reliability(agreed_on(one), sites_of(4)) for one in (lists, lists[::-1]))
    assert [repr(value) for value in astuple(first)] == [repr(value) for value in astuple(second)]


def test_groups_of_no_pickers_have_no_patterns():
    nothing = Groups((), np.empty((0, 0), np.intp))
    assert levels(nothing, {}, {}).shape == (0, 0)
