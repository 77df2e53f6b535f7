"""Laws of what a page is made of, without a page."""

import time
from dataclasses import replace
from threading import Event

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.page.background_jobs import BackgroundJobs, Step, TooManyError
from cryopick_ray.page.counts import Collected, Free, free_ones, histogram
from cryopick_ray.page.judgement import undecided
from cryopick_ray.page.listed_columns import listed_columns, outliers
from cryopick_ray.page.packing import packed_candidates
from cryopick_ray.passes.curation import Curated
from cryopick_ray.passes.decisions import Decision, decisions_of
from cryopick_ray.picks.index import dataset_folder
from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.table import PickTable
from cryopick_ray.picks.write_table import write_table

SCORES = st.floats(-5, 5, width=32) | st.sampled_from([0.0, 1.0, float("nan")])


@st.composite
def micrographs(draw, make):
    """Some micrographs with few candidates, ties and unknown values among them."""
    made = []
    for number in range(draw(st.integers(0, 5))):
        n = draw(st.integers(0, 8))
        one = make(f"{number}.mrc", n)
        score = np.sort(draw(arrays.arrays(np.float32, n, elements=SCORES)))[::-1]
        size = draw(
            arrays.arrays(np.float32, n, elements=st.sampled_from([90.0, 120.0, 150.0, float("nan")]))
        )
        unpicked = draw(arrays.arrays(np.uint16, n, elements=st.sampled_from([0, 1, 2, 3, 64])))
        made.append(replace(one, score=score, unpicked=unpicked, more={"size_A": size}))
    return made


@given(
    st.data(),
    st.floats(-6, 6, width=32),
    st.sampled_from([None, 90.0, 120.0]),
    st.sampled_from([None, 120.0]),
)
def test_counts_are_those_of_a_plain_look_at_every_candidate(make_picks, data, threshold, smallest, largest):
    some = data.draw(micrographs(make_picks))
    order = data.draw(st.permutations(range(len(some))))
    found = Collected(len(some), 1)
    for place in order:
        found.add(place, free_ones(some[place]))
    everything = found.all()
    expected = []
    for one in some:
        size = one.more["size_A"]
        fits = ~(size < (smallest or -np.inf)) & ~(size > (largest or np.inf))
        free = (one.unpicked & ~np.uint16(Why.BELOW_THRESHOLD)) == 0
        expected.append(int((free & fits & ~(one.score < np.float32(threshold))).sum()))
    assert everything.counts(threshold, smallest, largest).tolist() == expected


@pytest.mark.parametrize("n", [65_535, 65_536, 131_073])
def test_a_micrograph_with_very_many_candidates_is_counted_whole(n):
    sizes, found = [3, n], Collected(2)
    for place, own in enumerate(sizes):
        ones = np.ones(own, np.float32)
        found.add(place, Free(ones, ones, np.zeros(own, bool)))
    assert found.all().counts(0.0, 0.5, 1.5).tolist() == sizes


@given(st.data(), st.floats(-5, 5, width=32))
def test_bins_hold_every_candidate_and_their_stops_are_exact(make_picks, data, threshold):
    some = data.draw(micrographs(make_picks))
    found = Collected(len(some))
    for place, one in enumerate(some):
        found.add(place, free_ones(one))
    everything = found.all()
    made = histogram(everything, threshold)
    assert (np.diff(made.score_stops) > 0).all()
    assert made.counts.sum() == len(everything.score)
    for at in (0, 300, 1023):
        above = int((everything.score >= made.score_stops[at]).sum())
        assert made.counts[at:].sum() == above or at == 0
    finite = everything.score[np.isfinite(everything.score)]
    if len(finite) and finite.min() < threshold < finite.max():
        assert np.float32(threshold) in made.score_stops


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["remove", "keep", "junk", "clean", "exclude", "include"]), st.integers(0, 9)
        )
    )
)
def test_what_decisions_did_to_picks_can_be_taken_back(make_picks, rows):
    picks = make_picks("a.mrc", 10)
    decided = [
        Decision("a.mrc", action, float(picks.x_px[at]), float(picks.y_px[at]), 5.0, at=f"{turn:03d}")
        for turn, (action, at) in enumerate(rows)
    ]
    done = Curated(decisions_of(decided))(replace(picks, junk=np.zeros(10, np.uint8)))
    back = undecided(done, included=True)
    assert np.array_equal(back.unpicked, picks.unpicked)
    assert not back.junk.any()


def test_what_junk_is_of_the_models_stays_junk():
    from cryopick_ray.micrographs.junk import Junk

    picks = _four()
    picks = replace(picks, junk=np.array([Junk.CARBON, Junk.MASKED, 0, 0], np.uint8))
    picks = picks.marked(Why.ON_JUNK, np.array([True, True, False, False]))
    assert np.array_equal(undecided(picks, included=True).unpicked, picks.unpicked)


def _four():
    from cryopick_ray.picks.part import no_picks
    from cryopick_ray.picks.schema import PickedMicrograph

    about = PickedMicrograph("a.mrc", "d", "a.mrc", (100, 100), 1.0, None, "complete", "")
    one = no_picks(about, 10.0)
    return replace(
        one, x_px=np.arange(4, dtype=np.float32), y_px=np.zeros(4, np.float32), score=np.ones(4, np.float32),
        unpicked=np.zeros(4, np.uint16), junk=None, more={},
    )  # fmt: skip


def test_bytes_of_candidates_have_the_length_that_is_said(make_picks):
    for n in (0, 1, 33):
        assert len(packed_candidates(make_picks("a.mrc", n))) == 4 + 20 * n


def test_a_slow_drift_has_no_outliers_and_a_jump_is_one():
    rng = np.random.default_rng(0)
    values = np.linspace(100, 300, 400) + 5 * rng.normal(size=400)
    values[123] = 20
    found = outliers({"picks": values.tolist()})["picks"]
    assert 123 in found
    assert len(found) < 5
    assert outliers({"picks": [5, None, 7]}) == {}
    assert outliers({"picks": [7] * 50})["picks"] == []
    assert outliers({"picks": [7] * 49 + [900]})["picks"] == [49]


def test_what_a_person_left_out_is_no_outlier_and_hides_none():
    picks = [*[7, 8] * 20, *[0] * 5, 900, *[7, 8] * 20]
    left_out = [one == 0 for one in picks]
    assert outliers({"picks": picks})["picks"] == [40, 41, 42, 43, 44, 45]
    assert outliers({"picks": picks, "excluded": left_out})["picks"] == [45]


def test_columns_that_nobody_knows_are_left_out(make_picks):
    one = make_picks("a.mrc").micrograph
    said = replace(
        one, listed='{"rlnDefocusU": "12000", "rlnDefocusV": "14000", "rlnCtfMaxResolution": "nan"}'
    )
    broken = replace(one, listed="[" * 10_000)
    columns = listed_columns([said, broken])
    assert columns["defocus_A"] == [13000, None]
    assert "ctf_resolution_A" not in columns
    assert "verdict" not in columns


def test_a_job_that_is_stopped_takes_all_it_started_with_it(tmp_path):
    jobs = BackgroundJobs()
    number = jobs.run("endless", [Step(["view", str(tmp_path / "none")]), Step(["--help"])])
    assert _ended(jobs, number)["state"] == "failed"
    assert "`" not in "".join(jobs.listed()[0]["lines"])
    slow = jobs.run("slow", [Step(["bench", "--help"])] * 200)
    time.sleep(1)
    assert jobs.stop(slow)
    assert _ended(jobs, slow)["state"] == "failed"
    assert not jobs.stop("99")
    jobs.close()


def test_a_job_that_fails_in_a_way_nobody_thought_of_says_so(capfd):
    jobs = BackgroundJobs()

    def work(job):
        raise TypeError("unsupported format string passed to NoneType")

    found = _ended(jobs, jobs.do("odd", "", work))
    assert (found["state"], found["lines"]) == (
        "failed",
        ["TypeError: unsupported format string passed to NoneType"],
    )
    assert "in work" in capfd.readouterr().err
    given = _ended(jobs, jobs.do("known", "", lambda job: _raise(UsageError("give `pixel_size_A`"))))
    assert given["lines"] == ["give --pixel-size"]
    jobs.close()


def _raise(error):
    raise error


def test_what_is_done_alone_is_refused_while_it_is_done():
    jobs, go_on = BackgroundJobs(), Event()
    first = jobs.do("apply", "", lambda job: _hold(go_on), alone=True)
    with pytest.raises(TooManyError, match="apply is running already"):
        jobs.do("apply", "", lambda job: None, alone=True)
    jobs.do("export", "", lambda job: None, alone=True)
    go_on.set()
    _ended(jobs, first)
    jobs.do("apply", "", lambda job: None, alone=True)
    jobs.close()


def _hold(event):
    assert event.wait(30)


def _ended(jobs, number):
    for _ in range(1200):
        found = next(one for one in jobs.listed() if one["job"] == number)
        if found["state"] != "running":
            return found
        time.sleep(0.05)
    raise AssertionError("never ended")


def test_some_micrographs_of_a_table_are_those_of_all_and_keep_no_part_in_memory(make_picks, tmp_path):
    made = [make_picks(f"{number:03d}.mrc", 7, dataset="d") for number in range(40)]
    write_table(made, tmp_path / "table")
    table = PickTable(tmp_path / "table")
    every = {one.micrograph.micrograph_id: one for one in table}
    for name, one in table.of(["003.mrc", "039.mrc"]).items():
        assert np.array_equal(one.score, every[name].score)
        assert one.score.base is None


def test_a_footer_that_lies_loses_no_pick_in_silence(make_picks, tmp_path):
    """The parts' footers say where a micrograph is; the index knows whether it has candidates at all."""
    made = [replace(make_picks(f"{n:03d}.mrc", 7, dataset="d")) for n in range(4)]
    made = [replace(one, micrograph=replace(one.micrograph, candidates=7)) for one in made]
    write_table(made, tmp_path / "table")
    path = tmp_path / "table" / dataset_folder("d") / "part-00000.parquet"
    table = PickTable(tmp_path / "table")
    data = path.read_bytes()
    end = data.rindex(b"003.mrc")
    path.write_bytes(data[:end] + b"002.mrc" + data[end + 7 :])
    with pytest.raises(PicksError, match="table"):
        table.of(["003.mrc"])
