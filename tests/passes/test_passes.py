import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cryopick_ray.micrographs.junk import KINDS, Junk
from cryopick_ray.passes.edge import FromEdge
from cryopick_ray.passes.excluded import Excluded
from cryopick_ray.passes.most import AtMost
from cryopick_ray.passes.on_junk import OnJunk
from cryopick_ray.passes.sizes import InSize
from cryopick_ray.passes.spacing import Apart
from cryopick_ray.passes.threshold import AboveCut
from cryopick_ray.picks.reasons import Why, from_words, none, to_words
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph

SHAPE, PIXEL_A = (60, 90), 2.0
FREE_OF_ORDER = (OnJunk(), OnJunk(keep_junk=True), FromEdge(20), InSize(80, 120), AboveCut({"s": 0.4}))
ALL = (*FREE_OF_ORDER, Excluded({"a"}), Excluded({"b"}), Apart(30), AtMost(3))


@st.composite
def micrographs(draw):
    n = draw(st.integers(0, 25))
    spots = draw(hnp.arrays(np.int64, (n, 2), elements=st.integers(0, 59)))
    score = draw(hnp.arrays(np.int64, n, elements=st.integers(0, 9))) / np.float32(10)  # with ties
    sizes = draw(hnp.arrays(np.int64, n, elements=st.integers(50, 150)))
    about = PickedMicrograph("a", "s", "a", SHAPE, PIXEL_A, None, "complete", "")
    return MicrographPicks(
        about,
        spots[:, 0].astype(np.float32),
        spots[:, 1].astype(np.float32),
        score.astype(np.float32),
        none(n),
        100.0,
        junk=draw(hnp.arrays(np.uint8, n, elements=st.integers(0, len(KINDS) - 1))),
        more={"size_A": sizes.astype(np.float32)},
        model="m",
    )


def same(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("x_px", "y_px", "score", "unpicked")
    )


@given(micrographs(), st.sampled_from(ALL))
def test_a_pass_keeps_every_candidate_and_takes_no_reason_away(picks, one):
    after = one(picks)
    assert same(replace(after, unpicked=picks.unpicked), picks)
    assert not (picks.unpicked & ~after.unpicked).any()
    assert same(one(after), after)


@given(micrographs(), st.sampled_from(ALL), st.randoms())
def test_the_order_of_candidates_does_not_matter(picks, one, random):
    order = list(range(len(picks)))
    random.shuffle(order)
    spots = np.column_stack([picks.x_px, picks.y_px, picks.score])
    if len(np.unique(spots, axis=0)) == len(spots):  # else either twin may be the duplicate
        assert same(one(picks.take(order)), one(picks).take(order))


@given(micrographs(), st.permutations(FREE_OF_ORDER))
def test_passes_that_look_at_each_candidate_alone_commute(picks, order):
    once, other = picks, picks
    for one, another in zip(FREE_OF_ORDER, order, strict=True):
        once, other = one(once), another(other)
    assert same(once, other)


@given(micrographs(), st.floats(0, 1), st.sampled_from([Apart(30), AtMost(3)]))
def test_what_is_picked_above_a_cut_is_the_same_before_and_after_ranking(picks, cut, ranking):
    threshold = AboveCut({"s": cut})
    assert np.array_equal(threshold(ranking(picks)).picked, ranking(threshold(picks)).picked)


@given(micrographs())
def test_picks_are_as_far_apart_as_asked_and_every_duplicate_is_near_a_better_pick(picks):
    after = Apart(30)(OnJunk()(picks))
    spots = PIXEL_A * np.column_stack([after.x_px, after.y_px]).astype(np.float64)
    rank = np.lexsort((after.x_px, after.y_px, -after.score)).argsort()
    kept = np.flatnonzero(after.picked)
    for one, other in itertools.combinations(kept, 2):
        assert np.linalg.norm(spots[one] - spots[other]) >= 30
    for one in np.flatnonzero(after.has(Why.DUPLICATE)):
        near = [k for k in kept if np.linalg.norm(spots[one] - spots[k]) < 30 and rank[k] < rank[one]]
        assert near
        assert not after.has(Why.ON_JUNK)[one]


@given(micrographs(), st.integers(1, 30))
def test_the_best_that_nothing_else_keeps_out_are_picked(picks, most):
    before = OnJunk()(picks)
    after = AtMost(most)(before)
    assert after.picked.sum() == min(most, before.picked.sum())
    if after.picked.any() and after.has(Why.SURPLUS).any():
        assert after.score[after.picked].min() >= after.score[after.has(Why.SURPLUS)].max()


@given(micrographs(), st.floats(1, 100))
def test_what_is_nearer_to_the_edge_than_asked_is_marked(picks, edge_A):
    marked = FromEdge(edge_A)(picks).has(Why.NEAR_EDGE)
    for x, y, near in zip(picks.x_px, picks.y_px, marked, strict=True):
        away = min(x + 0.5, y + 0.5, SHAPE[1] - 0.5 - x, SHAPE[0] - 0.5 - y) * PIXEL_A
        assert near == (away < edge_A)
    unknown = replace(picks, micrograph=replace(picks.micrograph, shape=None))
    assert same(FromEdge(edge_A)(unknown), unknown)


def test_a_size_that_no_picker_measured_is_not_wrong():
    about = PickedMicrograph("a", "s", "a", SHAPE, PIXEL_A, None, "complete", "")
    spots = np.arange(4, dtype=np.float32)
    picks = MicrographPicks(about, spots, spots, spots, none(4), 100.0)
    assert InSize(90, 110)(picks).picked.all()
    sized = replace(picks, more={"size_A": np.float32([80, 90, 120, np.nan])})
    assert InSize(90, 110)(sized).picked.tolist() == [False, True, False, True]
    assert InSize(smallest_A=90)(sized).picked.tolist() == [False, True, True, True]
    assert InSize(largest_A=110)(sized).picked.tolist() == [True, True, False, True]


def test_junk_keeps_out_what_it_did_before():
    about = PickedMicrograph("a", "s", "a", SHAPE, PIXEL_A, None, "complete", "")
    spots = np.arange(len(KINDS), dtype=np.float32)
    junk = np.arange(len(KINDS), dtype=np.uint8)
    picks = MicrographPicks(about, spots, spots, spots, none(len(KINDS)), 100.0, junk)
    assert [KINDS[at] for at in np.flatnonzero(OnJunk()(picks).picked)] == ["", "lattice"]
    assert np.flatnonzero(~OnJunk(keep_junk=True)(picks).picked).tolist() == [Junk.MASKED]


@given(hnp.arrays(np.uint16, st.integers(0, 20), elements=st.integers(0, 1023)))
def test_reasons_survive_as_words(reasons):
    assert np.array_equal(from_words(to_words(reasons)), reasons)


@pytest.mark.parametrize("text", ["eaten by a bear", "on junk, eaten by a bear"])
def test_reasons_of_a_later_version_still_keep_out(text):
    import pyarrow as pa

    [flags] = from_words(pa.chunked_array([[text]]))
    assert flags & Why.OTHER
    assert bool(flags & Why.ON_JUNK) == text.startswith("on junk")
