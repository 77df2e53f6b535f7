"""What is taken down while a table is read once is what its rows say."""

from dataclasses import replace

import numpy as np
import pytest

from cryopick_ray.picks.reasons import Reason
from cryopick_ray.picks.table import PickTable
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.picks.write_table import write_table
from cryopick_ray.report.thumbnails import choose_thumbnails
from cryopick_ray.runs.results.pictured_micrographs import SHOWN, pictured_micrographs
from cryopick_ray.runs.results.report_collector import ReportCollector
from cryopick_ray.runs.results.tally import TallyCounter, tally


@pytest.fixture
def table(tmp_path, make_picks):
    rng = np.random.default_rng(0)
    some = []
    for number in range(20):
        micrograph_picks = make_picks(
            f"{number:02d}.mrc", int(rng.integers(0, 40)), dataset=f"set{number // 10}"
        )
        micrograph_picks = micrograph_picks.marked(
            Reason.NEAR_EDGE, rng.random(len(micrograph_picks)) < 0.2
        ).marked(Reason.BELOW_THRESHOLD, micrograph_picks.score < 0.1)
        size = np.where(
            rng.random(len(micrograph_picks)) < 0.5, rng.normal(120, 9, len(micrograph_picks)), np.nan
        ).astype(np.float32)
        about = replace(micrograph_picks.micrograph, picks=int(micrograph_picks.picked.sum()), verdict="good")
        some.append(replace(micrograph_picks, micrograph=about, more={"size_A": size}))
    write_table([*some, make_picks("bad.mrc", status="failed", dataset="set2")], tmp_path / "table")
    return PickTable(tmp_path / "table")


@pytest.mark.parametrize("cuts", [{"set0": 0.1, "set1": 0.1}, {"set0": 0.1, "set1": 0.4}])
def test_a_report_draws_what_the_rows_say(table, cuts):
    drawn = ReportCollector(table, cuts)
    for micrograph_picks in table:
        drawn(micrograph_picks)
    several = len({*cuts.values()}) > 1
    complete = [
        micrograph_picks for micrograph_picks in table if micrograph_picks.micrograph.status == "complete"
    ]
    origin = [
        np.float32(cuts[micrograph_picks.micrograph.dataset] if several else 0)
        for micrograph_picks in complete
    ]
    free = [
        micrograph_picks.score[~micrograph_picks.has(Reason.NEAR_EDGE)] - cut
        for micrograph_picks, cut in zip(complete, origin, strict=True)
    ]
    np.testing.assert_array_equal(
        drawn.counts, [micrograph_picks.picked.sum() for micrograph_picks in complete]
    )
    np.testing.assert_array_equal(drawn.scores, np.concatenate(free))
    np.testing.assert_array_equal(
        drawn.sizes_A,
        np.concatenate(
            [micrograph_picks.more["size_A"][micrograph_picks.picked] for micrograph_picks in complete]
        ),
    )
    assert drawn.threshold == (0 if several else 0.1)
    assert sorted(drawn.picks) == sorted(drawn.shown)
    own = {micrograph_picks.micrograph.micrograph_id: micrograph_picks for micrograph_picks in complete}
    for name, picks in drawn.picks.items():
        np.testing.assert_array_equal(picks.x_px, own[name].x_px)
        assert not np.shares_memory(picks.x_px, own[name].x_px)


def test_the_index_and_the_rows_choose_the_same_pictures(table):
    complete = [
        micrograph_picks for micrograph_picks in table if micrograph_picks.micrograph.status == "complete"
    ]
    chosen = choose_thumbnails([micrograph_picks.picked.sum() for micrograph_picks in complete], SHOWN)
    expected = [complete[place].micrograph.micrograph_id for place in chosen]
    assert pictured_micrographs(table) == expected
    table.micrographs = [micrograph.unjudged() for micrograph in table.micrographs]  # as of earlier versions
    assert pictured_micrographs(table) == expected


def test_counting_on_the_way_is_counting_after(table):
    thresholds = {name: Threshold(0.1, "given") for name in ("set0", "set1")}
    counting = TallyCounter(thresholds)
    for micrograph_picks in table:
        counting(micrograph_picks)
    assert counting.tally == tally(table, thresholds)
    frame = [
        micrograph_picks for micrograph_picks in table if micrograph_picks.micrograph.status == "complete"
    ]
    near = sum(
        int((micrograph_picks.has(Reason.NEAR_EDGE) & (micrograph_picks.score >= np.float32(0.1))).sum())
        for micrograph_picks in frame
    )
    assert counting.tally.unpicked == {"near edge": near}
    assert near > 0
    assert counting.tally.candidates == sum(map(len, frame))


def test_filaments_are_counted_that_have_a_picked_segment(make_picks):
    picks = make_picks("a.mrc", 6, picked=4)
    first, last = np.flatnonzero(picks.picked)[[0, -1]]
    filament = np.full(6, -1, np.int32)
    filament[[first, last]] = 0, 2
    filament[~picks.picked] = 7
    several = [replace(picks, more={"filament": filament}), replace(picks, more={"filament": filament})]
    assert tally(several, {}).filaments == 4
    assert tally([picks], {}).filaments == 0
