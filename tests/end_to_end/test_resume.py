"""Runs that were killed, damaged or extended are continued: through the real command."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from micrograph_files import LOG, broken_folder, phantom, table_bytes, write_mrc

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("stage", "engine"), [("ingest", "serial"), ("pick", "ray")])
def test_a_killed_run_ends_with_the_same_table(phantoms, serial_run, cryopick, tmp_path, stage, engine):
    out = tmp_path / "run"
    arguments = ["run", str(phantoms / "micrographs"), *map(str, LOG), "--out", str(out)]
    done = out / ("store.zarr/manifest" if stage == "ingest" else "picks")
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", *arguments, "--engine", engine, "--workers", "1"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while len(list(done.rglob("*.parquet"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (out / "summary.json").exists(), "it ended before it was killed: the test tests nothing"
    status, _, _ = cryopick(*arguments, "--engine", "serial", "--resume")
    assert status == 0
    assert table_bytes(out) == table_bytes(serial_run)


def test_resuming_a_finished_run_does_no_unit_and_changes_nothing(serial_run, cryopick, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(serial_run, out)
    before = table_bytes(out)
    status, _, errors = cryopick("run", "--out", out, "--resume")
    assert status == 0
    assert errors.count("nothing left to do") == 2
    assert table_bytes(out) == before


def test_new_micrographs_join_on_resume_and_none_is_doubled(cryopick, tmp_path):
    inputs, out = tmp_path / "in", tmp_path / "run"
    for seed in (1, 3):
        write_mrc(inputs / f"{seed}.mrc", phantom(seed).pixels)
    arguments = ["run", inputs, *LOG, "--out", out, "--engine", "serial"]
    assert cryopick(*arguments)[0] == 0
    first = pd.read_parquet(out / "table").drop(columns=["picked", "unpicked"])
    for seed in (0, 2, 4):
        write_mrc(inputs / f"{seed}.mrc", phantom(seed).pixels)
    assert cryopick(*arguments, "--resume")[0] == 0
    second = pd.read_parquet(out / "table").drop(columns=["picked", "unpicked"])
    assert sorted(second.micrograph_id.unique()) == [f"{seed}.mrc" for seed in range(5)]
    kept = second[second.micrograph_id.isin(first.micrograph_id)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, first)
    fresh = tmp_path / "fresh"
    assert cryopick("run", inputs, *LOG, "--out", fresh, "--engine", "serial")[0] == 0
    assert table_bytes(fresh) == table_bytes(out)


def test_a_damaged_shard_is_picked_again(serial_run, cryopick, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(serial_run, out)
    shard = sorted((out / "picks").rglob("*.parquet"))[4]
    whole = shard.read_bytes()
    shard.write_bytes(whole[:100])
    status, _, errors = cryopick("run", "--out", out, "--resume", "--engine", "serial")
    assert status == 0
    assert "picks its micrographs again" in errors
    assert shard.read_bytes() == whole
    assert table_bytes(out) == table_bytes(serial_run)


def test_a_mended_file_is_taken_in_on_resume(cryopick, tmp_path):
    broken_folder(tmp_path / "in")
    out = tmp_path / "run"
    arguments = ["run", tmp_path / "in", *LOG, "--out", out, "--engine", "serial"]
    assert cryopick(*arguments)[0] == 3
    write_mrc(tmp_path / "in" / "new.mrc", phantom(7).pixels)
    (tmp_path / "in" / "new.mrc").replace(tmp_path / "in" / "empty.mrc")
    status, _, _ = cryopick(*arguments, "--resume")
    assert status == 3
    failed = {line["micrograph_id"] for line in json.loads((out / "summary.json").read_text())["failures"]}
    assert failed == {"truncated.mrc", "garbage.mrc", "nan.mrc", "constant.mrc"}


def test_a_list_that_grows_another_root_is_refused_not_doubled(phantoms, cryopick, tmp_path):
    listed = tmp_path / "list.txt"
    inputs = phantoms / "micrographs"
    listed.write_text(f"{inputs}/square0/00.mrc\n{inputs}/square0/01.mrc\n")
    common = [*LOG, "--out", tmp_path / "run", "--engine", "serial"]
    assert cryopick("run", listed, *common)[0] == 0
    with listed.open("a") as file:
        file.write(f"{inputs}/square1/00.mrc\n")
    status, _, errors = cryopick("run", listed, *common, "--resume")
    assert (status, "root of INPUT" in errors) == (2, True)


def test_another_file_under_a_known_name_is_refused(phantoms, cryopick, tmp_path):
    store = tmp_path / "s.zarr"
    for number, wanted in ((0, 0), (1, 2)):
        folder = phantoms / "micrographs" / f"square{number}"
        assert cryopick("ingest", folder, "--store", store, "--engine", "serial")[0] == wanted


def test_a_lost_shard_of_the_store_is_ingested_again(serial_run, cryopick, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(serial_run, out)
    lost = next((out / "store.zarr").glob("*/c/0/0"))
    lost.unlink()
    shutil.rmtree(out / "picks")
    assert cryopick("run", "--out", out, "--resume", "--engine", "serial")[0] == 0
    assert lost.is_file()
    assert table_bytes(out) == table_bytes(serial_run)


def test_what_a_run_killed_in_its_first_instant_leaves_is_no_hindrance(phantoms, cryopick, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").touch()
    inputs = phantoms / "micrographs" / "square0"
    arguments = [*LOG, "--out", tmp_path / "run", "--engine", "serial", "--limit", 1]
    assert cryopick("run", inputs, *arguments)[0] == 0
