from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_lists import LISTS, RADIUS, lists_of

from cryopick_ray.errors import UsageError
from cryopick_ray.passes.cliques import MOST_CLIQUES, heaviest_cliques, weight
from cryopick_ray.passes.clusters import greedy

CHAIN = {"a": [(0, 0, 1), (11, 0, 1)], "b": [(6, 0, 1), (17, 0, 1)]}
"""Each place is 6, 5 and 6 from its neighbour: the nearest pair is a trap."""


def of_all(lists, value=1.0):
    return dict.fromkeys(lists, value)


def test_the_programme_beats_greed_where_the_nearest_pair_leaves_two_alone():
    lists = lists_of(CHAIN)
    assert greedy(lists, 8.0).members.tolist() == [[0, -1], [1, 0], [-1, 1]]
    best = heaviest_cliques(lists, 8.0, of_all(lists))
    assert best.members.tolist() == [[0, 0], [1, 1]]
    assert best.greedily == 0
    assert weight(best, lists, 8.0, of_all(lists)) > weight(greedy(lists, 8.0), lists, 8.0, of_all(lists))


def test_three_who_agree_weigh_more_than_a_nearer_two():
    lists = lists_of({"a": [(0, 0, 1)], "b": [(0, 0, 1)], "c": [(8, 0, 1)]})
    assert heaviest_cliques(lists, 8.0, of_all(lists)).members.tolist() == [[0, 0, 0]]


def test_a_place_goes_with_the_picker_that_counts_more():
    lists = lists_of({"a": [(0, 0, 1)], "b": [(5, 0, 1)], "c": [(10, 0, 1)]})
    for trusted, members in (("a", [[0, 0, -1], [-1, -1, 0]]), ("c", [[0, -1, -1], [-1, 0, 0]])):
        weights = {**of_all(lists, 0.2), trusted: 0.9}
        assert heaviest_cliques(lists, 6.0, weights).members.tolist() == members


def test_weight_is_closeness_times_standing():
    lists = lists_of({"a": [(0, 0, 1), (90, 0, 2)], "b": [(3, 4, np.nan)]})
    best = heaviest_cliques(lists, 10.0, {"a": 0.8, "b": 0.5})
    # 5 of 10 px: closeness 3/4; the worse of a's two stands at 1/4, b's without a score at 1/2
    assert weight(best, lists, 10.0, {"a": 0.8, "b": 0.5}) == pytest.approx(0.75 * (0.8 / 4 + 0.5 / 2))


@given(LISTS, RADIUS)
def test_the_programme_never_weighs_less_than_greed(rows, radius_px):
    lists = lists_of(rows)
    weights = dict(zip(sorted(lists), (0.9, 0.4, 0.6, 0.2), strict=False))
    by_greed, best = greedy(lists, radius_px), heaviest_cliques(lists, radius_px, weights)
    assert weight(best, lists, radius_px, weights) >= weight(by_greed, lists, radius_px, weights) - 1e-9


def heaviest(lists, places, radius_px, weights):
    """The largest weight of all ways to part the places, tried one by one."""
    if not places:
        return 0.0
    first, *rest = places
    most = heaviest(lists, rest, radius_px, weights)
    for size in range(1, len(lists)):
        for others in combinations(rest, size):
            own = [first, *others]
            if len({name for name, _ in own}) < len(own) or not all(
                near(lists, *pair, radius_px) for pair in combinations(own, 2)
            ):
                continue
            left = [place for place in rest if place not in others]
            most = max(
                most, worth(lists, own, radius_px, weights) + heaviest(lists, left, radius_px, weights)
            )
    return most


def apart(lists, first, other):
    (a, i), (b, j) = first, other
    return np.hypot(lists[a].x_px[i] - lists[b].x_px[j], lists[a].y_px[i] - lists[b].y_px[j])


def near(lists, first, other, radius_px):
    return apart(lists, first, other) <= radius_px


def worth(lists, own, radius_px, weights):
    def value(name, index):
        score = lists[name].score
        if np.isnan(score[index]):
            return weights[name] / 2
        finite = score[~np.isnan(score)]
        below, equal = (finite < score[index]).mean(), (finite == score[index]).mean()
        return weights[name] * (below + equal / 2)

    return sum(
        (1 - apart(lists, first, other) / (2 * radius_px)) * (value(*first) + value(*other))
        for first, other in combinations(own, 2)
    )


SMALL = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 6), st.integers(0, 2), st.sampled_from([1, 2, np.nan])),
    max_size=7,
)


@settings(max_examples=60)
@given(SMALL, st.sampled_from([2.0, 3.0, 4.5]))
def test_nothing_weighs_more_than_the_programme(rows, radius_px):
    lists = lists_of({name: [row[1:] for row in rows if row[0] == name] for name in "abc"})
    weights = {"a": 0.9, "b": 0.5, "c": 0.7}
    places = [(name, index) for name, own in lists.items() for index in range(len(own.x_px))]
    found = weight(heaviest_cliques(lists, radius_px, weights), lists, radius_px, weights)
    assert found == pytest.approx(heaviest(lists, places, radius_px, weights), abs=1e-9)


def test_what_is_too_entangled_is_grouped_greedily_and_counted():
    generator = np.random.default_rng(3)
    crowd = {name: [(*generator.uniform(0, 5, 2), 1) for _ in range(8)] for name in "abcd"}
    assert MOST_CLIQUES < (8 + 1) ** 4 - 1 - 4 * 8  # all are near each other
    far = {name: [(x + 1000, y, score) for x, y, score in CHAIN.get(name, [])] for name in crowd}
    together = lists_of({name: own + far[name] for name, own in crowd.items()})
    found = heaviest_cliques(together, 8.0, of_all(together))
    assert found.greedily == 1
    rows = found.members.tolist()
    assert [row for row in rows if max(row) < 8] == greedy(lists_of(crowd), 8.0).members.tolist()
    assert [row for row in rows if max(row) >= 8] == [[8, 8, -1, -1], [9, 9, -1, -1]]


@pytest.mark.parametrize("weights", [{"a": 1.0}, {"a": 1.0, "b": 0.0}, {"a": 1.0, "b": np.nan}])
def test_a_picker_without_a_positive_weight_is_named(weights):
    with pytest.raises(UsageError, match=r"weight of 'b' is .*`weights` a positive number"):
        heaviest_cliques(lists_of(CHAIN), 8.0, weights)
