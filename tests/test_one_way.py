"""What is taken down while a table is read once is what its rows say."""

from dataclasses import replace

import numpy as np
import pytest

from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.table import PickTable
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.picks.write_table import write_table
from cryopick_ray.report.thumbnails import choose_thumbnails
from cryopick_ray.runs.pictured_micrographs import SHOWN, pictured
from cryopick_ray.runs.report_drawing import Drawn
from cryopick_ray.runs.tally import Counting, tally


@pytest.fixture
def table(tmp_path, make_picks):
    rng = np.random.default_rng(0)
    some = []
    for number in range(20):
        one = make_picks(f"{number:02d}.mrc", int(rng.integers(0, 40)), dataset=f"set{number // 10}")
        one = one.marked(Why.NEAR_EDGE, rng.random(len(one)) < 0.2).marked(
            Why.BELOW_THRESHOLD, one.score < 0.1
        )
        size = np.where(rng.random(len(one)) < 0.5, rng.normal(120, 9, len(one)), np.nan).astype(np.float32)
        about = replace(one.micrograph, picks=int(one.picked.sum()), verdict="good")
        some.append(replace(one, micrograph=about, more={"size_A": size}))
    write_table([*some, make_picks("bad.mrc", status="failed", dataset="set2")], tmp_path / "table")
    return PickTable(tmp_path / "table")


@pytest.mark.parametrize("cuts", [{"set0": 0.1, "set1": 0.1}, {"set0": 0.1, "set1": 0.4}])
def test_a_report_draws_what_the_rows_say(table, cuts):
    drawn = Drawn(table, cuts)
    for one in table:
        drawn(one)
    several = len({*cuts.values()}) > 1
    complete = [one for one in table if one.micrograph.status == "complete"]
    origin = [np.float32(cuts[one.micrograph.dataset] if several else 0) for one in complete]
    free = [one.score[~one.has(Why.NEAR_EDGE)] - cut for one, cut in zip(complete, origin, strict=True)]
    np.testing.assert_array_equal(drawn.counts, [one.picked.sum() for one in complete])
    np.testing.assert_array_equal(drawn.scores, np.concatenate(free))
    np.testing.assert_array_equal(
        drawn.sizes_A, np.concatenate([one.more["size_A"][one.picked] for one in complete])
    )
    assert drawn.threshold == (0 if several else 0.1)
    assert sorted(drawn.picks) == sorted(drawn.shown)
    own = {one.micrograph.micrograph_id: one for one in complete}
    for name, picks in drawn.picks.items():
        np.testing.assert_array_equal(picks.x_px, own[name].x_px)
        assert not np.shares_memory(picks.x_px, own[name].x_px)


def test_the_index_and_the_rows_choose_the_same_pictures(table):
    complete = [one for one in table if one.micrograph.status == "complete"]
    chosen = choose_thumbnails([one.picked.sum() for one in complete], SHOWN)
    expected = [complete[place].micrograph.micrograph_id for place in chosen]
    assert pictured(table) == expected
    table.micrographs = [micrograph.unjudged() for micrograph in table.micrographs]  # as of earlier versions
    assert pictured(table) == expected


def test_counting_on_the_way_is_counting_after(table):
    thresholds = {name: Threshold(0.1, "given") for name in ("set0", "set1")}
    counting = Counting(thresholds)
    for one in table:
        counting(one)
    assert counting.tally == tally(table, thresholds)
    frame = [one for one in table if one.micrograph.status == "complete"]
    near = sum(int((one.has(Why.NEAR_EDGE) & (one.score >= np.float32(0.1))).sum()) for one in frame)
    assert counting.tally.unpicked == {"near edge": near}
    assert near > 0
    assert counting.tally.candidates == sum(map(len, frame))
