"""What a micrograph is worth follows from its facts, and every verdict but good has a reason."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.picks.judged_micrographs import count
from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.verdict import COMPARED, KINDS, Facts, judge, usual_count

GOOD = Facts(candidates=900, picked=200, room=700.0, mean_score=0.8, just_below=20)
counts = st.integers(0, 2000)
shares = st.dictionaries(st.sampled_from(["carbon", "ice"]), st.floats(0, 0.5), max_size=2)
facts = st.builds(
    Facts,
    candidates=counts,
    picked=counts,
    room=st.floats(0, 5000),
    mean_score=st.none() | st.floats(0, 1),
    just_below=st.none() | counts,
    on_junk=counts,
    junk_share=shares,
    no_data=st.floats(0, 1),
    strange=st.sampled_from(["", "it shows windows"]),
)


@given(facts, st.none() | st.floats(1, 2000))
def test_only_a_good_micrograph_needs_no_reason(one, usual):
    verdict = judge(one, usual)
    assert verdict.kind in KINDS
    assert (verdict.kind == "good") == (not verdict.reasons)
    assert (verdict.kind == "not a micrograph") == bool(one.strange)
    assert all(len(reason.splitlines()) == 1 and '"' not in reason for reason in verdict.reasons)


@given(facts, st.none() | st.floats(1, 2000), facts)
def test_what_is_wrong_with_one_more_thing_is_no_better(one, usual, other):
    order = {kind: place for place, kind in enumerate(KINDS)}
    worse = replace(one, junk_share=other.junk_share, no_data=max(one.no_data, other.no_data))
    better = replace(worse, junk_share={}, no_data=0.0)
    if "empty" not in (judge(worse, usual).kind, judge(better, usual).kind):
        assert order[judge(worse, usual).kind] <= order[judge(better, usual).kind]


def test_each_verdict_is_for_its_facts():
    assert judge(GOOD).kind == "good"
    assert judge(GOOD, 210).kind == "good"
    assert judge(replace(GOOD, picked=3, just_below=5)).kind == "empty"
    assert judge(replace(GOOD, picked=0, just_below=0)).kind == "empty"
    assert judge(replace(GOOD, picked=3, just_below=300)).kind == "doubtful"  # faint, not absent
    assert judge(replace(GOOD, just_below=201)).kind == "doubtful"
    assert judge(replace(GOOD, just_below=None)).kind == "good"
    assert judge(GOOD, 1001).kind == judge(GOOD, 39).kind == "doubtful"
    assert judge(replace(GOOD, just_below=201), 1001).kind == "bad"
    assert judge(replace(GOOD, junk_share={"carbon": 0.3})).kind == "doubtful"
    assert judge(replace(GOOD, junk_share={"carbon": 0.3, "ice": 0.3})).kind == "bad"
    assert judge(replace(GOOD, on_junk=201)).kind == "bad"
    assert judge(replace(GOOD, no_data=0.6)).kind == "bad"


def test_numbers_stand_in_the_reasons():
    [reason] = judge(replace(GOOD, junk_share={"ice": 0.1, "carbon": 0.5})).reasons
    assert reason == "60% of its area is junk (carbon 50%, ice 10%)"
    [reason] = judge(replace(GOOD, on_junk=300)).reasons
    assert "300 of 500" in reason


def test_what_is_spoilt_says_nothing_of_the_usual():
    spoilt = [replace(GOOD, picked=2, just_below=0)] * 20
    some = [replace(GOOD, picked=100 + n) for n in range(COMPARED)]
    assert usual_count([*spoilt, *some]) == 102
    assert usual_count([*spoilt, *some[1:]]) is None


def made(score, unpicked):
    about = PickedMicrograph("a", "s", "a", (9, 9), 1.0, None, "complete", "")
    return MicrographPicks(about, score, score, score, unpicked.astype(np.uint16), 100.0)


def test_candidates_are_counted_about_the_cut():
    score = np.array([0.9, 0.6, 0.5, 0.49, 0.25, 0.24, 0.0], np.float32)
    picks = made(score, np.where(np.array([1, 0, 1, 0, 0, 0, 0], bool), 0, Why.BELOW_THRESHOLD))
    picks = picks.marked(Why.ON_JUNK, np.arange(7) == 1)
    found = count(picks, 0.5, calibrated=True)
    assert (found.candidates, found.picked, found.just_below, found.on_junk) == (7, 2, 2, 1)
    assert found.mean_score is not None
    assert abs(found.mean_score - 0.7) < 1e-6
    assert count(picks, 0.5, calibrated=False).just_below is None
    nothing = count(picks.take(slice(0)), 0.5, calibrated=True)
    assert (nothing.candidates, nothing.mean_score, nothing.just_below) == (0, None, 0)
