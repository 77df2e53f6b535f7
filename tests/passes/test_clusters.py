import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_lists import LISTS, RADIUS, ROWS, lists_of, row_sets

from cryopick_ray.errors import UsageError
from cryopick_ray.passes.cliques import programme
from cryopick_ray.passes.clusters import CandidatePlaces, greedy


def best(lists, radius_px):
    return programme(lists, radius_px, dict.fromkeys(lists, 0.7))


both = pytest.mark.parametrize("group", [greedy, best])


def at(lists, name, index):
    return lists[name].x_px[index], lists[name].y_px[index]


def groups_of(groups):
    """Each group as names and indices."""
    for row in groups.members.tolist():
        yield [(name, index) for name, index in zip(groups.names, row, strict=True) if index >= 0]


def are_near(lists, ours, theirs, radius_px):
    """Tell whether all of two groups could be one."""
    names = {name for name, _ in ours} & {name for name, _ in theirs}
    far = (np.hypot(*np.subtract(at(lists, *our), at(lists, *other))) for our in ours for other in theirs)
    return not names and all(distance <= radius_px for distance in far)


@both
@given(rows=LISTS, radius_px=RADIUS)
def test_every_place_is_in_exactly_one_group(group, rows, radius_px):
    lists = lists_of(rows)
    found = [one for own in groups_of(group(lists, radius_px)) for one in own]
    everything = [(name, index) for name, own in rows.items() for index in range(len(own))]
    assert sorted(found) == sorted(everything)


@both
@given(rows=LISTS, radius_px=RADIUS)
def test_all_pairs_of_a_group_are_within_the_radius_and_no_two_groups_could_be_one(group, rows, radius_px):
    lists = lists_of(rows)
    groups = list(groups_of(group(lists, radius_px)))
    for number, ours in enumerate(groups):
        for place, our in enumerate(ours):
            assert are_near(lists, [our], ours[place + 1 :], radius_px)
        assert not any(are_near(lists, ours, theirs, radius_px) for theirs in groups[number + 1 :])


@both
@given(rows=LISTS, radius_px=RADIUS, order=st.randoms(use_true_random=False))
def test_the_order_of_lists_and_of_places_in_them_does_not_matter(group, rows, radius_px, order):
    names = list(rows)
    order.shuffle(names)
    shuffled = {name: order.sample(rows[name], len(rows[name])) for name in names}
    before, after = (group(lists_of(one), radius_px) for one in (rows, shuffled))
    assert row_sets(before, rows) == row_sets(after, shuffled)


@both
@given(rows=LISTS, radius_px=RADIUS)
def test_a_picker_that_has_nothing_changes_nothing(group, rows, radius_px):
    some = {name: own for name, own in rows.items() if own}
    everyone = {**some, "nobody": []}
    assert row_sets(group(lists_of(some), radius_px), some) == row_sets(
        group(lists_of(everyone), radius_px), everyone
    )


@both
@given(rows=ROWS, radius_px=RADIUS, k=st.integers(1, 4))
def test_equal_lists_are_grouped_place_by_place(group, rows, radius_px, k):
    rows = sorted({row[:2]: row for row in rows}.values(), key=lambda row: (row[1], row[0]))
    members = group(lists_of({f"picker {number}": rows for number in range(k)}), radius_px).members
    assert members.tolist() == [[index] * k for index in range(len(rows))]


@both
@given(rows=LISTS)
def test_places_further_apart_than_the_radius_are_alone(group, rows):
    apart = {
        name: [(x, y + 100 * number, score) for x, y, score in own]
        for number, (name, own) in enumerate(rows.items())
    }
    members = group(lists_of(apart), 30.0).members
    assert ((members >= 0).sum(axis=1) == 1).all()


@both
def test_the_radius_is_included(group):
    lists = lists_of({"a": [(0, 0, 1)], "b": [(3, 4, 1)]})
    assert group(lists, 5.0).members.tolist() == [[0, 0]]
    assert group(lists, float(np.nextafter(5, 0))).members.tolist() == [[0, -1], [-1, 0]]


@both
def test_groups_are_in_the_order_of_their_first_place_by_y_then_x(group):
    lists = lists_of({"a": [(9, 9, 1), (5, 2, 1)], "b": [(1, 2, 1), (9, 8, 1)]})
    assert group(lists, 2.0).members.tolist() == [[-1, 0], [1, -1], [0, 1]]


@both
@pytest.mark.parametrize("radius_px", [0.0, -1.0, np.nan, np.inf])
def test_a_radius_that_is_no_length_is_refused(group, radius_px):
    with pytest.raises(UsageError, match="`radius_px` a positive length"):
        group(lists_of({"a": [(0, 0, 1)]}), radius_px)


@both
def test_nothing_gives_no_groups(group):
    assert group({}, 1.0).members.shape == (0, 0)
    assert group({"a": CandidatePlaces(*np.empty((3, 0)))}, 1.0).members.shape == (0, 1)


def read_out_loud(lists, radius_px):
    """The definition of greedy grouping, on everything that could be said of ties."""
    singles = [
        (y, x, name, index)
        for name, own in lists.items()
        for index, (x, y) in enumerate(zip(own.x_px, own.y_px, strict=True))
    ]
    singles.sort(key=lambda one: (one[:3], -lists[one[2]].score[one[3]]))
    groups = {place: [place] for place in range(len(singles))}
    pairs = sorted(
        (np.hypot(ours[1] - theirs[1], ours[0] - theirs[0]), one, other)
        for one, ours in enumerate(singles)
        for other, theirs in enumerate(singles)
        if one < other and ours[2] != theirs[2]
    )
    for apart, one, other in pairs:
        ours, theirs = groups[one], groups[other]
        as_names = [[singles[place][2:] for place in own] for own in (ours, theirs)]
        if apart <= radius_px and ours is not theirs and are_near(lists, *as_names, radius_px):
            ours.extend(theirs)
            for place in theirs:
                groups[place] = ours
    return sorted({tuple(sorted(singles[place][2:] for place in own)) for own in groups.values()})


@given(LISTS.map(lambda rows: {name: [(*row[:2], 1.0) for row in own] for name, own in rows.items()}), RADIUS)
def test_greedy_joins_the_nearest_pairs_first(rows, radius_px):
    lists = lists_of(rows)
    assert sorted(map(tuple, map(sorted, groups_of(greedy(lists, radius_px))))) == read_out_loud(
        lists, radius_px
    )
