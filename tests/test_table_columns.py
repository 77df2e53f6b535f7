"""What is told of a table beside its picks: optional columns, and why candidates are not picked."""

from dataclasses import replace

import numpy as np
import pytest

from cryopick_ray.picks import partitions
from cryopick_ray.picks.reasons import WORDS, Why
from cryopick_ray.picks.schema import PICKS
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.picks.write_table import write_table
from cryopick_ray.runs.read_run import read_table
from cryopick_ray.runs.tally import tally


def test_a_frame_has_every_column_that_any_part_has(tmp_path, make_picks, monkeypatch):
    monkeypatch.setattr(partitions, "PARTITION_ROWS", 4)
    one, two, three = (make_picks(f"{name}.mrc", 4, picked=2) for name in "abc")
    one = replace(one, more={"view": np.int16([3, -1, 0, 2])})
    three = replace(three, more={"size_A": np.float32([90, np.nan, 80, 70])})
    write_table([one, two, three], tmp_path / "t")
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
        one = make_picks(f"{name}.mrc", 60, picked=60)
        for why in (Why.NEAR_EDGE, Why.DUPLICATE, Why.WRONG_SIZE):
            one = one.marked(why, rng.random(60) < 0.3)
        picks.append(one.marked(Why.BELOW_THRESHOLD, one.score < 0.25))
    told = tally(picks, {"10146": Threshold(0.25, "given")}).unpicked
    for why in (Why.NEAR_EDGE, Why.DUPLICATE, Why.WRONG_SIZE):
        expected = sum(int((one.has(why) & (one.score >= np.float32(0.25))).sum()) for one in picks)
        assert 0 < told.pop(WORDS[why]) == expected
    assert not told
