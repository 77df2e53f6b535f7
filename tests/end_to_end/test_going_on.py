"""What a run that goes on does again, and what it does not."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from micrograph_files import DIAMETER_A, LOG, phantom, table_bytes, write_mrc

from cryopick_ray.runs import pipeline

SERIAL = ["--engine", "serial"]


@pytest.fixture
def few(phantoms, tmp_path):
    """A folder of three micrographs in two folders, to be changed."""
    for name in ("square0/00", "square0/01", "square1/02"):
        path = tmp_path / "in" / f"{name}.mrc"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(phantoms / "micrographs" / f"{name}.mrc", path)
    return tmp_path / "in"


@pytest.fixture
def run(serial_run, tmp_path):
    shutil.copytree(serial_run, tmp_path / "run")
    return tmp_path / "run"


def test_a_threshold_alone_cuts_the_table_with_no_engine_and_no_network(run, cryopick, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("nothing is to be picked")

    monkeypatch.setattr(pipeline, "open_engine", refuse)
    monkeypatch.setattr(pipeline, "described_picker", refuse)
    before = pd.read_parquet(run / "table")
    cut = float(before["score"].quantile(0.9))
    status, _, errors = cryopick("run", "--out", run, "--resume", "--threshold", cut, *SERIAL)
    assert status == 0, errors
    after = pd.read_parquet(run / "table")
    assert after["picked"].sum() == (before["score"] >= np.float32(cut)).sum() < before["picked"].sum()
    cut_anew = ["picked", "unpicked"]
    pd.testing.assert_frame_equal(after.drop(columns=cut_anew), before.drop(columns=cut_anew))


def test_a_threshold_with_a_new_file_picks_that_one_too(few, cryopick, tmp_path):
    out = tmp_path / "own"
    assert cryopick("run", few, *LOG, "--out", out, *SERIAL)[0] == 0
    write_mrc(few / "square0" / "new.mrc", phantom(77).pixels)
    status, _, errors = cryopick("run", "--out", out, "--resume", "--threshold", 0.5, *SERIAL)
    assert status == 0
    assert "pick: 4 micrographs, 3 already done" in errors
    assert "square0/new.mrc" in set(pd.read_parquet(out / "table")["micrograph_id"])


def test_a_file_that_has_changed_is_told_and_done_again_and_no_other(few, cryopick, tmp_path):
    out, fresh = tmp_path / "run", tmp_path / "fresh"
    assert cryopick("run", few, *LOG, "--out", out, *SERIAL)[0] == 0
    write_mrc(few / "square1" / "02.mrc.new", phantom(99).pixels)
    os.replace(few / "square1" / "02.mrc.new", few / "square1" / "02.mrc")
    status, _, errors = cryopick("run", "--out", out, "--resume", *SERIAL)
    assert status == 0
    assert "square1/02.mrc: the file has changed and is read again" in errors
    assert "pick: 3 micrographs, 2 already done" in errors
    assert cryopick("run", few, *LOG, "--out", fresh, *SERIAL)[0] == 0
    assert table_bytes(out) == table_bytes(fresh)


def test_a_file_that_has_changed_into_none_has_no_picks_until_it_is_mended(few, cryopick, tmp_path):
    changed, out = few / "square1" / "02.mrc", tmp_path / "run"
    assert cryopick("run", few, *LOG, "--out", out, *SERIAL)[0] == 0
    before, whole = table_bytes(out), changed.read_bytes()
    for content, wanted in ((b"broken", 3), (whole, 0)):
        changed.write_bytes(content)
        assert cryopick("run", "--out", out, "--resume", *SERIAL)[0] == wanted
        is_there = "square1/02.mrc" in set(pd.read_parquet(out / "table")["micrograph_id"])
        failed = [one["micrograph_id"] for one in json.loads((out / "summary.json").read_text())["failures"]]
        assert (is_there, failed) == ((False, ["square1/02.mrc"]) if wanted else (True, []))
        assert (out / "coordinates/star/square1/02.mrc.star").exists() == is_there
    assert table_bytes(out) == before


@pytest.mark.parametrize("diameter_A", [DIAMETER_A * 1.2, DIAMETER_A * 0.6])
def test_another_diameter_picks_again_what_is_stored_finely_enough(few, cryopick, tmp_path, diameter_A):
    out, fresh = tmp_path / "run", tmp_path / "fresh"
    model = ["--model", "log", "--particle-px", "10"]
    assert cryopick("run", few, *model, "--diameter", DIAMETER_A, "--out", out, *SERIAL)[0] == 0
    stored = {path: path.stat().st_mtime_ns for path in (out / "store.zarr").glob("*/c/0/0")}
    status, _, errors = cryopick("run", "--out", out, "--resume", "--diameter", diameter_A, *SERIAL)
    assert status == 0, errors
    assert "--diameter 150.0 -> " in errors
    kept = {path: path.stat().st_mtime_ns for path in stored}
    assert (kept == stored) == (diameter_A > DIAMETER_A)  # a smaller one needs finer pixels
    assert cryopick("run", few, *model, "--diameter", diameter_A, "--out", fresh, *SERIAL)[0] == 0
    ours, theirs = (pd.read_parquet(one / "table") for one in (out, fresh))
    if diameter_A < DIAMETER_A:
        pd.testing.assert_frame_equal(ours, theirs)
    assert set(ours["diameter_A"]) == {np.float32(diameter_A)}
    assert cryopick("run", "--out", out, "--resume", "--threshold", 0.7, *SERIAL)[0] == 0


def test_what_is_stored_too_coarsely_stays_where_its_file_is_gone(cryopick, tmp_path):
    for seed in range(2):
        write_mrc(tmp_path / "in" / f"{seed}.mrc", phantom(seed).pixels)
    listed, out = tmp_path / "list.txt", tmp_path / "run"
    listed.write_text("".join(f"{tmp_path}/in/{seed}.mrc\n" for seed in range(2)))
    model = ["--model", "log", "--particle-px", "10"]
    assert cryopick("run", listed, *model, "--diameter", DIAMETER_A, "--out", out, *SERIAL)[0] == 0
    (tmp_path / "in" / "1.mrc").unlink()
    finer = ["--resume", "--diameter", DIAMETER_A * 0.6, *SERIAL]
    status, _, errors = cryopick("run", "--out", out, *finer)
    assert (status, "1.mrc" in errors, "--store-pixel-size" in errors) == (2, True, True)
    assert cryopick("run", "--out", out, "--resume", "--diameter", DIAMETER_A, *SERIAL)[0] == 0
    assert set(pd.read_parquet(out / "table")["micrograph_id"]) == {"0.mrc", "1.mrc"}
