"""What is told of a table beside its picks: optional columns, and why candidates are not picked."""

from dataclasses import replace

import numpy as np
import pytest

from cryopick_ray.picks import partitions
from cryopick_ray.picks.reasons import WORDS, Reason
from cryopick_ray.picks.schema import PICKS
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.picks.write_table import write_table
from cryopick_ray.runs.results.read_run import read_table
from cryopick_ray.runs.results.tally import tally


def test_a_frame_has_every_column_that_any_part_has(tmp_path, make_picks, monkeypatch):
    monkeypatch.setattr(partitions, "PARTITION_ROWS", 4)
    first, second, third = (make_picks(f"{name}.mrc", 4, picked=2) for name in "abc")
    first = replace(first, more={"view": np.int16([3, -1, 0, 2])})
    third = replace(third, more={"size_A": np.float32([90, np.nan, 80, 70])})
    write_table([first, second, third], tmp_path / "t")
    assert len(list((tmp_path / "t").glob("*/part-*.parquet"))) == 3
    frame = read_table(tmp_path / "t")
    assert list(frame.columns) == [*PICKS.names, "size_A", "view"]
    assert frame["view"].tolist()[:4] == pytest.approx([3, np.nan, 0, 2], nan_ok=True)
    assert frame["size_A"].tolist()[8:] == pytest.approx([90, np.nan, 80, 70], nan_ok=True)
    assert frame["view"].isna().sum() == frame["size_A"].isna().sum() == 9


def test_what_scores_enough_is_counted_by_why_it_is_not_picked(make_picks):
    rng = np.random.default_rng(0)
    picks = []
    for name in "abc":
        micrograph_picks = make_picks(f"{name}.mrc", 60, picked=60)
        for why in (Reason.NEAR_EDGE, Reason.DUPLICATE, Reason.WRONG_SIZE):
            micrograph_picks = micrograph_picks.marked(why, rng.random(60) < 0.3)
        picks.append(micrograph_picks.marked(Reason.BELOW_THRESHOLD, micrograph_picks.score < 0.25))
    told = tally(picks, {"10146": Threshold(0.25, "given")}).unpicked
    for why in (Reason.NEAR_EDGE, Reason.DUPLICATE, Reason.WRONG_SIZE):
        expected = sum(
            int((micrograph_picks.has(why) & (micrograph_picks.score >= np.float32(0.25))).sum())
            for micrograph_picks in picks
        )
        assert 0 < told.pop(WORDS[why]) == expected
    assert not told
