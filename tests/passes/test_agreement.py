import json

import numpy as np
import pytest
from hypothesis import given
from made_lists import LISTS, RADIUS, lists_of

from cryopick_ray.passes.agreement import agreement
from cryopick_ray.passes.clusters import greedy
from cryopick_ray.passes.patterns import Patterns, levels, patterns, score_cuts


@given(LISTS, RADIUS)
def test_the_table_counts_what_the_groups_hold(rows, radius_px):
    lists = lists_of(rows)
    groups = greedy(lists, radius_px)
    cuts = {name: score_cuts(places.score) for name, places in lists.items()}
    table = agreement(patterns(groups.names, levels(groups, lists, cuts)))
    owners = [
        {name for name, at in zip(groups.names, members, strict=True) if at >= 0}
        for members in groups.members.tolist()
    ]
    assert table.places == {name: len(rows[name]) for name in sorted(rows)}
    assert len(table.pairs) == len(rows) * (len(rows) - 1)
    for pair in table.pairs:
        shared = sum({pair.picker, pair.other} <= own for own in owners)
        either = sum(bool({pair.picker, pair.other} & own) for own in owners)
        assert pair.shared == shared
        assert pair.share == (shared / len(rows[pair.picker]) if rows[pair.picker] else None)
        assert pair.jaccard == (shared / either if either else None)
    assert sum(combination.count for combination in table.together) == len(owners)
    for combination in table.together:
        assert combination.count == sum(own == set(combination.pickers) for own in owners)


@pytest.fixture
def table():
    level = np.array([[0, 1], [0, 3], [1, 2], [3, 3]], np.uint8)
    return agreement(Patterns(("a", "b"), level, np.array([5, 10, 20, 40])))


def test_the_most_frequent_come_first_whatever_their_levels(table):
    assert [(combination.pickers, combination.count) for combination in table.together] == [
        (("a", "b"), 60),
        (("b",), 15),
    ]


def test_rows_are_plain(table):
    assert table.rows() == [
        {"picker": "a", "other": "b", "shared": 60, "share": 1.0, "jaccard": 0.8},
        {"picker": "b", "other": "a", "shared": 60, "share": 0.8, "jaccard": 0.8},
    ]
    assert json.loads(json.dumps(table.to_dict()))["places"] == {"a": 60, "b": 75}
