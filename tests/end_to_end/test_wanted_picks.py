"""A run's picks are as precise or as many as is wanted, and it says what to expect of them."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from micrograph_files import LOG
from scipy.special import expit

from cryopick_ray.pickers.log import LogPicker
from cryopick_ray.picks.cuts import Scores, cut_at_precision
from cryopick_ray.runs import pipeline
from cryopick_ray.runs.results import read_summary
from cryopick_ray.runs.run_folder import RunFolder

SERIAL = ["--engine", "serial"]


@pytest.fixture
def run(serial_run, tmp_path):
    shutil.copytree(serial_run, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def calibrated(phantoms, cryopick, tmp_path, monkeypatch):
    """A finished run of a picker whose scores lie between 0 and 1, and which calls them calibrated."""
    find = LogPicker.pick

    def pick(self, image):
        found = find(self, image)
        return replace(found, score=expit(found.score - 2))

    monkeypatch.setattr(LogPicker, "pick", pick)
    monkeypatch.setattr(LogPicker, "calibrated", True)
    inputs = phantoms / "micrographs"
    assert cryopick("run", inputs, *LOG, "--out", tmp_path / "own", *SERIAL)[0] == 0
    return tmp_path / "own"


def test_a_count_cuts_the_table_of_any_picker_and_picks_nothing_again(run, cryopick, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("nothing is to be picked")

    monkeypatch.setattr(pipeline, "open_engine", refuse)
    for expected in (7, 11.5):
        status, told, errors = cryopick("run", "--out", run, "--resume", "--expect", expected, *SERIAL)
        assert status == 0, errors
        summary = read_summary(RunFolder(run))
        table = pd.read_parquet(run / "table")
        assert abs(table["picked"].sum() - expected * summary.complete) <= 1
        assert f"{expected:g} picks a micrograph expected" in told
        assert summary.expected is None
    assert cryopick("run", "--out", run, "--resume", "--threshold", 1.0, *SERIAL)[0] == 0
    assert "expect: null" in (run / "config.yaml").read_text()  # one takes the place of another


def test_more_than_there_is_is_told(run, cryopick):
    _, told, _ = cryopick("run", "--out", run, "--resume", "--expect", 1e6, *SERIAL)
    assert "there are no more than" in told
    assert pd.read_parquet(run / "table")["picked"].all()


@pytest.mark.parametrize("name", ["run", "watch", "table"])
def test_a_precision_by_scores_that_do_not_tell_it_is_refused(name, run, phantoms, cryopick, tmp_path):
    config = (run / "config.yaml").read_bytes()
    arguments = {
        "run": ["--out", run, "--resume"],
        "watch": [phantoms / "micrographs", *LOG, "--out", tmp_path / "new"],
        "table": [run / "picks", "--out", tmp_path / "new"],
    }[name]
    status, _, errors = cryopick(name, *arguments, "--precision", 0.9)
    assert status == 2
    assert "--precision 0.9: the scores of log are not calibrated" in errors
    assert "give --expect or --threshold instead" in errors
    assert (run / "config.yaml").read_bytes() == config
    assert not (tmp_path / "new").exists()


def test_two_ways_to_cut_are_a_wrong_usage_that_names_both(run, cryopick):
    status, _, errors = cryopick(
        "run", "--out", run, "--resume", "--precision", 0.9, "--expect", 100, *SERIAL
    )
    assert status == 2
    assert "--precision 0.9 and --expect 100: each of them chooses the cut" in errors


def test_calibrated_scores_say_what_to_expect(calibrated, cryopick):
    status, told, errors = cryopick("run", "--out", calibrated, "--resume", "--precision", 0.9, *SERIAL)
    assert status == 0, errors
    summary, table = read_summary(RunFolder(calibrated)), pd.read_parquet(calibrated / "table")
    scores = table["score"].to_numpy()
    cut = cut_at_precision(Scores(scores, summary.complete), 0.9)
    assert np.array_equal(table["picked"], scores >= np.float32(cut.value))
    assert cut.doubt == ""
    assert 0 < table["picked"].sum() < len(table)
    picked = table["score"][table["picked"]].to_numpy(np.float64)
    assert summary.expected.true == pytest.approx(picked.sum())
    assert summary.expected.precision == pytest.approx(picked.mean())
    assert summary.expected.precision >= 0.9 - 1e-6
    assert summary.expected.missed == pytest.approx(scores.sum(dtype=np.float64) - picked.sum())
    for text in (told, (calibrated / "report.html").read_text()):
        assert summary.expected.text() in text
        assert "precision 0.9 by the scores" in text


def test_that_scores_are_calibrated_is_written_down_beside_what_makes_the_digest(calibrated, run):
    (plain,), (said,) = (list((one / "picks").iterdir()) for one in (run, calibrated))
    assert plain.name == said.name
    settings = [json.loads((one / "settings.json").read_text()) for one in (plain, said)]
    assert [setting.pop("calibrated", None) for setting in settings] == [None, True]


def test_a_precision_that_no_score_reaches_leaves_nothing_and_is_told(calibrated, cryopick):
    status, _, errors = cryopick(
        "table", calibrated / "picks", "--out", calibrated / "other", "--precision", 1.0
    )
    assert status == 0
    assert "no candidate scores --precision 1" in errors
    assert not pd.read_parquet(calibrated / "other")["picked"].any()
    _, told, _ = cryopick("run", "--out", calibrated, "--resume", "--precision", 1.0, *SERIAL)
    assert told.startswith("0 particles")
    assert "nothing is picked" in told
    assert read_summary(RunFolder(calibrated)).expected.precision is None
