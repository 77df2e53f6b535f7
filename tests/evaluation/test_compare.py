"""What runs share and where they differ: laws that hold for any picks."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.evaluation import paired
from cryopick_ray.evaluation.alike import common_names, side_by_side
from cryopick_ray.evaluation.compare import compare
from cryopick_ray.evaluation.evaluate import evaluate
from cryopick_ray.evaluation.median import Median
from cryopick_ray.evaluation.nearest import nearest_pairs
from cryopick_ray.evaluation.truth import Truth
from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph

SIZE, DIAMETER_A, PIXEL_SIZE_A = 60, 30.0, 1.5
RADIUS_PX = DIAMETER_A / 2 / PIXEL_SIZE_A
REASONS = (0, 0, 0, Why.BELOW_THRESHOLD, Why.ON_JUNK, Why.ON_JUNK | Why.NEAR_EDGE)
places = st.lists(
    st.tuples(st.integers(0, SIZE), st.integers(0, SIZE), st.integers(-2, 2), st.sampled_from(REASONS)),
    max_size=20,
)
"""Crowded, on whole pixels: ties and coinciding places abound."""
statuses = st.sampled_from(["complete", "complete", "complete", "failed"])
runs_of = st.dictionaries(
    st.sampled_from(["a.mrc", "b.mrc", "d/c.mrc"]), st.tuples(statuses, places), min_size=1
)


def made(name, status="complete", rows=(), diameter_A=DIAMETER_A):
    shape = (SIZE + 1, SIZE + 1)
    micrograph = PickedMicrograph(name, "set", name, shape, PIXEL_SIZE_A, None, status, "")
    x, y, score, why = np.array(rows if status == "complete" else [], float).reshape(-1, 4).T
    picks = MicrographPicks(
        micrograph, *(one.astype(np.float32) for one in (x, y, score)), why.astype(np.uint16), diameter_A
    )
    return picks.best_first()


def run(micrographs):
    return [made(name, *what) for name, what in sorted(micrographs.items())]


def compared(*runs, truth=None):
    names = common_names([[one.micrograph.micrograph_id for one in picks] for picks in runs])
    return compare(
        side_by_side(runs, names), [f"run {n}" for n in range(len(runs))], diameter_A=DIAMETER_A, truth=truth
    )


def anchored(runs):
    """Return runs that have one micrograph without picks in common, so that they can be compared."""
    return [[*picks, made("z.mrc")] for picks in map(run, runs)]


@given(places, places)
def test_pairs_are_near_one_to_one_and_as_many_as_can_be_added(first, second):
    a, b = (np.array([row[:2] for row in rows], float).reshape(-1, 2) for rows in (first, second))
    i, j, apart = nearest_pairs(a, b, RADIUS_PX)
    assert len(set(i.tolist())) == len(set(j.tolist())) == len(i)
    assert np.allclose(np.linalg.norm(a[i] - b[j], axis=1), apart)
    assert (apart <= RADIUS_PX).all()
    for x in np.delete(a, i, axis=0):
        assert (np.linalg.norm(np.delete(b, j, axis=0) - x, axis=1) > RADIUS_PX).all()


@given(places, places)
def test_who_comes_first_does_not_matter(first, second):
    a, b = (np.array([row[:2] for row in rows], float).reshape(-1, 2) for rows in (first, second))
    i, j, _ = nearest_pairs(a, b, RADIUS_PX)
    k, m, _ = nearest_pairs(b, a, RADIUS_PX)
    assert set(zip(i.tolist(), j.tolist(), strict=True)) == set(zip(m.tolist(), k.tolist(), strict=True))


@given(runs_of)
def test_a_run_shares_everything_with_itself(micrographs):
    [one] = anchored([micrographs])
    found = compared(one, one)
    [pair] = found.pairs
    assert pair.shared == found.runs[0].picks == sum(int(picks.picked.sum()) for picks in one)
    assert pair.only == pair.elsewhere == (0, 0)
    assert pair.why == ({}, {})
    assert pair.jaccard == (1 if pair.shared else None)
    assert not any(row.differing() for row in found.micrographs)


@given(runs_of, runs_of)
def test_exchanging_two_runs_exchanges_the_answer(first, second):
    a, b = anchored([first, second])
    truth = Truth("truth", {"a": np.array([[10.0, 10.0], [40.0, 12.0]]), "z": np.empty((0, 2))}, ())
    found, turned = compared(a, b, truth=truth), compared(b, a, truth=truth)
    [pair], [other] = found.pairs, turned.pairs
    assert (pair.shared, pair.micrographs) == (other.shared, other.micrographs)
    assert pair.median_apart_A == other.median_apart_A
    for name in ("only", "elsewhere", "median_score_shared", "median_score_only", "why", "share"):
        assert getattr(pair, name) == getattr(other, name)[::-1], name
    assert pair.truth.shared == other.truth.shared
    assert (pair.truth.only, pair.truth.either) == (other.truth.only[::-1], other.truth.either[::-1])
    assert [replace(one, name="") for one in found.runs] == [
        replace(one, name="") for one in turned.runs[::-1]
    ]
    assert [(micrograph.micrograph_id, micrograph.picks) for micrograph in found.micrographs] == [
        (micrograph.micrograph_id, micrograph.picks[::-1]) for micrograph in turned.micrographs
    ]


@given(st.lists(runs_of, min_size=2, max_size=3))
def test_counts_add_up_and_nothing_is_lost(several):
    runs = anchored(several)
    found = compared(*runs)
    assert len(found.pairs) == len([*combinations(runs, 2)])
    for pair in found.pairs:
        for side, number in enumerate((pair.first, pair.second)):
            assert pair.shared + pair.only[side] + pair.elsewhere[side] == found.runs[number].picks
            assert sum(pair.why[side].values()) == pair.only[side] + pair.elsewhere[side]
    for at, pair in enumerate(found.pairs):
        rows = [micrograph for micrograph in found.micrographs if micrograph.only[at] is not None]
        assert len(rows) == pair.micrographs
        assert sum(row.shared[at] for row in rows) == pair.shared
        assert tuple(sum(row.only[at][side] for row in rows) for side in (0, 1)) == pair.only
    names = {one.micrograph.micrograph_id for picks in runs for one in picks}
    assert sorted(micrograph.micrograph_id for micrograph in found.micrographs) == sorted(names)
    for number, (given_run, one) in enumerate(zip(runs, found.runs, strict=True)):
        assert one.candidates == sum(map(len, given_run))
        assert one.micrographs + len(one.failed) == len(given_run)
        everywhere = [row for row in found.micrographs if None not in row.picks]
        assert sum(one.shared_by) == sum(row.picks[number] for row in everywhere)
    differing = [micrograph.differing() for micrograph in found.micrographs]
    assert differing == sorted(differing, reverse=True)


@given(runs_of, runs_of)
def test_scores_against_truth_are_those_of_evaluate(first, second):
    a, b = anchored([first, second])
    truth = Truth(
        "truth", {name: np.array([[10.0, 10.0], [40.0, 12.0], [13.0, 30.0]]) for name in ("a", "b", "z")}, ()
    )
    found = compared(a, b, truth=truth)
    common = {one.micrograph.micrograph_id for one in a} & {one.micrograph.micrograph_id for one in b}
    for one, picks in zip(found.runs, (a, b), strict=True):
        score = evaluate([row for row in picks if row.micrograph.micrograph_id in common], truth).pooled
        assert (one.hits.precision, one.hits.recall, one.hits.f1) == (score.precision, score.recall, score.f1)
    [pair] = found.pairs
    true = pair.truth
    assert true.both + sum(true.either) + true.neither == found.runs[0].hits.particles
    for side in (0, 1):
        assert true.both + true.either[side] == found.runs[side].hits.true
        assert true.only[side][0] <= true.only[side][1] <= pair.only[side]


def test_of_what_only_one_picked_the_other_s_own_reasons_are_told():
    ours = [(5, 5, 1, 0), (25, 5, 1, 0), (45, 5, 1, 0), (5, 45, 1, 0), (25, 45, 1, 0), (29, 45, 1, 0)]
    theirs = [
        (6, 5, 0, Why.BELOW_THRESHOLD),
        (26, 5, 1, Why.ON_JUNK | Why.NEAR_EDGE),
        (45, 6, 1, 0),
        (25, 45, 1, 0),
    ]
    [pair] = compared([made("a.mrc", rows=ours)], [made("a.mrc", rows=theirs)]).pairs
    assert pair.why == (
        {
            "below threshold": 1,
            "on junk, near edge": 1,
            paired.NO_CANDIDATE: 1,
            paired.TAKEN: 1,
        },
        {},
    )
    assert (pair.shared, pair.only, pair.share) == (2, (4, 0), (1 / 3, 1.0))
    assert pair.median_apart_A == pytest.approx(0.75, rel=1e-3)


def test_micrographs_that_one_run_lacks_or_failed_on_are_elsewhere_and_told():
    rows = [(5, 5, 1, 0), (40, 5, 1, 0)]
    ours = [made(name, rows=rows) for name in ("a.mrc", "b.mrc", "c.mrc")]
    found = compared(ours, [made("a.mrc", rows=rows), made("b.mrc", "failed")])
    [pair] = found.pairs
    assert pair.why == ({paired.ABSENT: 2, paired.FAILED: 2}, {})
    assert (pair.shared, pair.elsewhere, pair.jaccard) == (2, (4, 0), 1)
    assert found.notes == (
        "A has micrographs that no other has: c.mrc",
        "B failed on: b.mrc",
    )


def test_runs_that_cannot_be_compared_are_refused():
    one = made("a.mrc", rows=[(5, 5, 1, 0)])
    with pytest.raises(UsageError, match=r"run 0 has a\.mrc; run 1 has b\.mrc"):
        compared([one], [made("b.mrc")])
    binned = replace(one, micrograph=replace(one.micrograph, shape=(30, 30)))
    with pytest.raises(UsageError, match=r"30 x 30 pixels in B, 61 x 61 .*`binning`"):
        compared([one], [binned])
    unsized = replace(one, micrograph=replace(one.micrograph, pixel_size_A=None))
    with pytest.raises(PicksError, match="no pixel size"):
        compared([unsized], [unsized])
    with pytest.raises(UsageError, match="knows b; mend `truth`"):
        compared([one], [one], truth=Truth("truth", {"b": np.empty((0, 2))}, ()))


def test_other_diameters_and_mirrored_picks_are_told():
    rng = np.random.default_rng(0)
    rows = [(x, y, 1, 0) for x, y in rng.integers(0, SIZE, (60, 2)) if y < 20]
    ours = [made(f"{n}.mrc", rows=rows) for n in range(3)]
    turned = [(x, SIZE - y, 1, 0) for x, y, _, _ in rows]
    found = compared(ours, [made(f"{n}.mrc", rows=turned, diameter_A=45.0) for n in range(3)])
    assert found.notes[0] == "diameters differ (30 A in A, 45 A in B); picks are one within half of 30 A"
    assert any("picks of B fit those of A far better upside down" in note for note in found.notes)


def test_the_widest_pair_is_that_which_shares_least():
    ours, theirs = [(5, 5, 1, 0), (40, 5, 1, 0)], [(5, 5, 1, 0), (40, 50, 1, 0)]
    found = compared(*([made("a.mrc", rows=rows)] for rows in (ours, ours, theirs)))
    assert [pair.jaccard for pair in found.pairs] == [1, 1 / 3, 1 / 3]
    assert found.widest == 1
    assert [one.shared_by for one in found.runs] == [(0, 1, 1), (0, 1, 1), (1, 0, 1)]


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1), st.integers(1, 5))
def test_a_median_is_near_the_exact_one_however_the_numbers_come(values, parts):
    whole, parted = Median(), Median()
    whole.add(values)
    for part in np.array_split(np.array(values, np.float32), parts):
        parted.add(part)
    low, high = (float(np.quantile(np.array(values), 0.5, method=method)) for method in ("lower", "higher"))
    assert parted.value == whole.value
    assert whole.value == pytest.approx((low + high) / 2, abs=max(abs(low), abs(high)) / 8000 + 1e-30)


def test_the_median_of_nothing_is_none():
    empty = Median()
    empty.add([np.nan, np.inf])
    assert empty.value is None
