from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_lists import LISTS, RADIUS, ROWS, lists_of

from cryopick_ray.errors import UsageError
from cryopick_ray.evaluation.truth import read_truth
from cryopick_ray.formats.reading import read_coordinates
from cryopick_ray.passes.agreed_reliability import AgreedReliability, reliability
from cryopick_ray.passes.clusters import CandidatePlaces, greedy
from cryopick_ray.passes.consensus import consensus
from cryopick_ray.passes.patterns import levels, patterns, score_cuts, total
from cryopick_ray.picks.matching import match


def outcome(rows, votes, radius_px=2.0):
    """Consensus of one micrograph that is the whole data set."""
    lists = lists_of(rows)
    groups = greedy(lists, radius_px)
    level = levels(groups, lists, {name: score_cuts(one.score) for name, one in lists.items()})
    told = reliability(patterns(groups.names, level), sites=1000.0)
    return consensus(groups, lists, level, told, votes)


def as_rows(found):
    return list(zip(found.x_px.tolist(), found.y_px.tolist(), found.votes.tolist(), strict=True))


FILLED = LISTS.filter(bool)


@given(ROWS, st.integers(1, 4), RADIUS)
def test_consensus_of_equal_tables_is_the_table(rows, k, radius_px):
    rows = sorted({row[:2]: row for row in rows}.values(), key=lambda row: (row[1], row[0]))
    tables = {f"picker {number}": rows for number in range(k)}
    for votes in range(1, k + 1):
        assert as_rows(outcome(tables, votes, radius_px)) == [(x, y, k) for x, y, _ in rows]


@given(FILLED)
def test_one_vote_of_disjoint_tables_is_their_union(rows):
    apart = {
        name: [(x * 50, y * 50 + 1000 * number, score) for x, y, score in own]
        for number, (name, own) in enumerate(rows.items())
    }
    found = outcome(apart, 1)
    union = [(float(x), float(y), 1) for own in apart.values() for x, y, _ in own]
    assert sorted(as_rows(found)) == sorted(union)
    assert len(rows) == 1 or not len(outcome(apart, 2).x_px)


@given(FILLED, RADIUS)
def test_more_votes_keep_fewer_of_the_same(rows, radius_px):
    every = outcome(rows, 1, radius_px)
    for votes in range(1, len(rows) + 1):
        found = outcome(rows, votes, radius_px)
        kept = every.votes >= votes
        assert as_rows(found) == [row for row, is_kept in zip(as_rows(every), kept, strict=True) if is_kept]
        assert found.score.tolist() == every.score[kept].tolist()
        assert found.members.tolist() == every.members[kept].tolist()


@given(FILLED, RADIUS, st.sampled_from([1, "weighted"]))
def test_a_picker_that_has_nothing_changes_nothing(rows, radius_px, votes):
    some = {name: own for name, own in rows.items() if own} or {"a": []}
    before, after = outcome(some, votes, radius_px), outcome({**some, "nobody": []}, votes, radius_px)
    assert as_rows(after) == as_rows(before)
    assert after.score.tolist() == before.score.tolist()


@given(FILLED, RADIUS, st.randoms(use_true_random=False))
def test_the_order_of_lists_and_of_places_does_not_matter(rows, radius_px, order):
    names = order.sample(list(rows), len(rows))
    shuffled = {name: order.sample(rows[name], len(rows[name])) for name in names}
    before, after = outcome(rows, "weighted", radius_px), outcome(shuffled, "weighted", radius_px)
    assert as_rows(after) == as_rows(before)
    assert after.score.tolist() == before.score.tolist()


@given(FILLED, RADIUS)
def test_a_place_is_among_those_of_its_members_and_votes_are_their_number(rows, radius_px):
    found = outcome(rows, 1, radius_px)
    for x_px, y_px, votes, members in zip(found.x_px, found.y_px, found.votes, found.members, strict=True):
        own = [rows[name][at][:2] for name, at in zip(found.names, members, strict=True) if at >= 0]
        low, high = np.min(own, axis=0) - 1e-9, np.max(own, axis=0) + 1e-9
        assert (low <= (x_px, y_px)).all()
        assert ((x_px, y_px) <= high).all()
        assert votes == len(own)
    assert found.votes.dtype == np.uint8


def test_a_place_is_that_of_the_most_reliable_member():
    lists = lists_of({"a": [(0, 0, 1), (40, 0, 1)], "b": [(2, 0, 1), (43, 0, 1)], "c": [(46, 0, 1)]})
    groups = greedy(lists, 10.0)
    level = (groups.members >= 0).astype(np.uint8)
    told = AgreedReliability(groups.names, np.ones(3, bool), np.array([0.5, 0.8, 0.7]), None, ())
    assert as_rows(consensus(groups, lists, level, told, 1)) == [(2.0, 0.0, 2), (43.0, 0.0, 3)]
    alike = replace(told, precision=np.array([0.5, 0.5, 0.4]))
    assert as_rows(consensus(groups, lists, level, alike, 1)) == [(1.0, 0.0, 2), (41.5, 0.0, 3)]


def test_two_pickers_must_both_have_it_where_agreement_does_not_tell():
    rows = {"a": [(0, 0, 1), (50, 50, 1)], "b": [(1, 0, 1)]}
    assert as_rows(outcome(rows, "weighted")) == [(0.5, 0.0, 2)]
    assert outcome(rows, 1).score.tolist() == [1.0, 0.5]


@pytest.mark.parametrize("votes", [0, 3, -1])
def test_votes_that_nobody_can_give_are_refused(votes):
    with pytest.raises(UsageError, match=rf"{votes} votes .* of 2 pickers; give `votes` from 1 to 2"):
        outcome({"a": [], "b": []}, votes)


def test_the_reliability_of_others_is_refused():
    lists = lists_of({"a": [(0, 0, 1)], "b": [(0, 0, 1)]})
    groups = greedy(lists, 2.0)
    others = reliability(patterns(("a", "c"), np.ones((1, 2), np.uint8)), 1000.0)
    with pytest.raises(UsageError, match=r"pickers are a, b, and the reliability is of a, c"):
        consensus(groups, lists, np.ones((1, 2), np.uint8), others, 1)


REPIC = {"crYOLO": "crYOLO", "Topaz": "topaz", "DeepPicker": "deepPicker"}


def published(real_data, left_out=("16_51_03",)):
    """Three pickers' published boxes on seven micrographs of beta-galactosidase, binned, by micrograph."""
    found = {}
    for name, folder in REPIC.items():
        for one in read_coordinates(real_data / "formats" / "repic-box" / folder).coordinates:
            stem = one.micrograph.micrograph_id.removesuffix(".box")
            if not any(part in stem for part in left_out):
                x_px, y_px = ((column.astype(float) + 0.5) / 2 - 0.5 for column in (one.x_px, one.y_px))
                found.setdefault(stem, {})[name] = CandidatePlaces(x_px, y_px, one.score.astype(float))
    return found


def test_agreement_of_published_pickers_tells_without_labels_what_labels_tell(real_data):
    micrographs = published(real_data)
    truth = read_truth(real_data / "betagal-10017")
    assert len(micrographs) == 7
    across_px = 190 / 3.54
    cuts = {
        name: score_cuts(np.concatenate([micrograph[name].score for micrograph in micrographs.values()]))
        for name in REPIC
    }
    grouped = [(greedy(micrograph, across_px / 2), micrograph) for micrograph in micrographs.values()]
    agreed = total(patterns(found.names, levels(found, one, cuts)) for found, one in grouped)
    told = reliability(agreed, 7 * 2048**2 / (np.pi * (across_px / 2) ** 2))
    n_true = 0
    hits, picks = dict.fromkeys(REPIC, 0), dict.fromkeys(REPIC, 0)
    for stem, lists in micrographs.items():
        true = truth.particles[truth.name_of(stem)]
        n_true += len(true)
        for name, one in lists.items():
            picks[name] += len(one.x_px)
            hits[name] += int((match(one.x_px, one.y_px, one.score, *true.T, across_px / 2) >= 0).sum())
    for name, precision in told.weights.items():
        assert precision == pytest.approx(hits[name] / picks[name], abs=0.08)
    assert max(told.weights, key=told.weights.__getitem__) == "crYOLO"
    assert told.rates.particles == pytest.approx(n_true, rel=0.05)
