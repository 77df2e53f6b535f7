"""Whole runs in a bucket, with the real command, through faults, outages and beside each other."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.store import place as module
from cryopick_ray.store.place import Place
from tests.end_to_end.micrograph_files import LOG, phantom, write_mrc

ROOT = Path(__file__).resolve().parents[2]
SERIAL = [*LOG, "--engine", "serial"]
PEOPLE = ("config.yaml", "report.html", "summary.json", ".lock")
"""What tells of times and of the place itself."""


@pytest.fixture(scope="module")
def micrographs(tmp_path_factory):
    root = tmp_path_factory.mktemp("micrographs")
    for seed in range(10):
        write_mrc(root / f"sq {seed % 2}" / f"é{seed // 2}.mrc", phantom(seed, shape=(256, 288)).pixels)
    (root / "sq 0" / "broken.mrc").write_bytes(b"torn")
    return root


@dataclass(frozen=True)
class LocalRun:
    """A run in a folder: what it left, and what it said."""

    folder: Path
    made: dict[str, bytes]
    summary: dict[str, object]


@pytest.fixture(scope="module")
def local(micrographs, tmp_path_factory):
    """The reference, made standing in its folder: paths in the coordinates are relative to it."""
    folder = tmp_path_factory.mktemp("local")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        arguments = ["run", micrographs, *SERIAL, "--out", folder, "--json"]
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 3, result.output
    return LocalRun(folder, made(str(folder)), json.loads(result.stdout))


@pytest.fixture(autouse=True)
def standing_in(local, monkeypatch):
    monkeypatch.chdir(local.folder)


def made(where):
    """Return all objects of a run that do not tell of times or places."""
    place = Place(where)
    return {key: place.get(key) for key in place.find() if key not in PEOPLE}


def test_a_run_in_a_bucket_is_that_in_a_folder(bucket, micrographs, local, cryopick):
    bucket.proxy.rate = 0.25
    out = f"{bucket.url}/facility/run 1"
    status, output, _ = cryopick("run", micrographs, *SERIAL, "--out", out, "--json")
    assert status == 3
    told = json.loads(output)
    assert told["folder"] == out
    assert [(f["micrograph_id"], f["reason"]) for f in told["failures"]] == [
        (f["micrograph_id"], f["reason"]) for f in local.summary["failures"]
    ]
    bucket.proxy.rate = 0.0
    assert made(out) == local.made
    assert {name for name in PEOPLE if Place(out).size(name)} == {*PEOPLE} - {".lock"}
    assert b"cryopick-" not in Place(out).get("coordinates/autopick.star")  # no private folder is named


def test_reports_exports_and_scores_are_made_of_a_bucket(bucket, micrographs, local, tmp_path, cryopick):
    out = bucket.url + "/run"
    assert cryopick("run", micrographs, *SERIAL, "--out", out)[0] == 3
    before = Place(out).get("report.html")
    Place(out).delete("report.html")
    bucket.proxy.rate = 0.2
    status, output, _ = cryopick("report", out)
    assert (status, output) == (0, f"report {out}/report.html\n")
    assert len(Place(out).get("report.html")) == len(before)
    exported = []
    for number, where in enumerate((out, f"{out}/table", local.folder)):
        to = tmp_path / str(number)
        assert cryopick("export", where, "--format", "csv", "--out", to)[0] == 0
        exported.append({path.name: path.read_bytes() for path in to.iterdir()})
    assert exported[0]
    assert exported[0] == exported[1] == exported[2]
    truth = local.folder / "coordinates" / "star"
    scores = [cryopick("evaluate", run, "--truth", truth, "--json")[1] for run in (out, local.folder)]
    assert json.loads(scores[0]) == json.loads(scores[1])
    status, _, told = cryopick("export", out, "--format", "csv", "--out", f"{bucket.url}/csv")
    assert (status, "is a bucket" in told) == (2, True)


def test_stages_alone_take_buckets(bucket, micrographs, tmp_path, cryopick):
    url, out = bucket.url, ["--engine", "serial"]
    assert cryopick("ingest", micrographs, "--store", f"{url}/store.zarr", "--diameter", 150, *out)[0] == 3
    assert cryopick("pick", "--store", f"{url}/store.zarr", "--out", f"{url}/picks", *SERIAL)[0] == 0
    assert cryopick("table", f"{url}/picks", "--out", f"{url}/t")[0] == 0
    assert cryopick("export", f"{url}/t", "--format", "csv", "--out", tmp_path / "csv")[0] == 0
    assert any((tmp_path / "csv").iterdir())


def test_an_outage_ends_a_run_in_good_order_and_another_machine_goes_on(
    bucket, micrographs, local, cryopick, monkeypatch
):
    out = bucket.url + "/run"
    monkeypatch.setattr(module, "UNREACHABLE_S", 0.2)
    status, rounds = 1, 0
    while status == 1:
        rounds += 1
        assert rounds < 20
        resume = ["--resume"] if Place(out).size("config.yaml") else []
        bucket.proxy.fail_after(25 * rounds)
        status, _, told = cryopick("run", micrographs, *SERIAL, "--out", out, *resume)
        bucket.proxy.fail_after(None)
        if status == 1:
            assert "no good answer for 0.2 s" in told
            assert "Traceback" not in told
    assert status == 3
    assert rounds > 2
    assert made(out) == local.made


def test_a_bucket_that_holds_something_is_not_run_into(bucket, micrographs, cryopick):
    out = bucket.url + "/run"
    Place(bucket.url).put("run/thesis.txt", b"mine")
    status, _, told = cryopick("run", micrographs, *SERIAL, "--out", out)
    assert (status, f"{out} is not empty and holds no run" in told) == (2, True)
    assert Place(bucket.url).find() == ["run/thesis.txt"]
    Place(bucket.url).delete("run/thesis.txt")
    status, _, told = cryopick("run", "--out", out, "--resume")
    assert (status, f"{out} holds no run to resume" in told) == (2, True)
    assert cryopick("run", micrographs, *SERIAL, "--out", out, "--limit", 2, "--resume")[0] in (0, 3)
    status, _, told = cryopick("run", micrographs, *SERIAL, "--out", out)
    assert (status, "--resume" in told) == (2, True)
    status, _, told = cryopick("run", "--out", out, "--resume", "--particle-px", 90)
    assert (status, f"{out} holds a run with other settings" in told) == (2, True)
    Place(out).put("config.yaml", b"network: heatmap")
    status, _, told = cryopick("report", out)
    assert (status, f"{out} holds a training, not a run" in told) == (2, True)
    assert "/tmp" not in told


def test_a_new_threshold_leaves_no_part_of_the_old_table(bucket, micrographs, cryopick):
    out = bucket.url + "/run"
    assert cryopick("run", micrographs, *SERIAL, "--out", out)[0] == 3
    before = made(out)
    status, output, _ = cryopick("run", "--out", out, "--resume", "--threshold", 1e9, "--json")
    assert (status, json.loads(output)["picked"]) == (3, 0)
    after = made(out)
    assert after.keys() == before.keys()
    assert {key for key in after if after[key] != before[key]} >= {"table/sq%200/part-00000.parquet"} & {
        *after
    }
    assert cryopick("run", "--out", out, "--resume", "--threshold", "auto")[0] == 3
    assert made(out) == before


@pytest.mark.cluster
def test_two_runs_that_go_on_at_once_double_nothing(bucket, micrographs, local, cryopick, monkeypatch):
    out = bucket.url + "/run"
    assert cryopick("run", micrographs, *SERIAL, "--out", out, "--limit", 1)[0] in (0, 3)
    command = [sys.executable, "-m", "cli.main", "run", "--out", out, "--resume", "--limit", "1000"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2)
    ]
    told = [process.communicate()[0].decode() for process in both]
    assert [process.returncode for process in both] == [3, 3], told
    ours = made(out)
    assert {key: ours[key] for key in ours if key.startswith(("table/", "coordinates/"))} == {
        key: local.made[key] for key in local.made if key.startswith(("table/", "coordinates/"))
    }


@pytest.mark.cluster
def test_ray_workers_reach_the_bucket_through_faults(bucket, micrographs, local, cryopick):
    out = bucket.url + "/run"
    bucket.proxy.rate = 0.2
    status, _, told = cryopick("run", micrographs, *LOG, "--engine", "ray", "--workers", 2, "--out", out)
    assert status == 3, told
    bucket.proxy.rate = 0.0
    assert made(out) == local.made


def test_micrographs_in_a_bucket_are_picked_as_those_in_a_folder(
    bucket, micrographs, local, tmp_path, cryopick
):
    place = Place(bucket.url)
    for path in micrographs.rglob("*.mrc"):
        place.put_file(f"micrographs/{path.relative_to(micrographs).as_posix()}", path)
    bucket.proxy.rate = 0.2
    arguments = ["run", f"{bucket.url}/micrographs", *SERIAL, "--out", tmp_path / "run", "--json"]
    status, output, _ = cryopick(*arguments)
    assert status == 3
    assert [failure["micrograph_id"] for failure in json.loads(output)["failures"]] == ["sq 0/broken.mrc"]
    frame, expected = (
        pd.read_parquet(folder / "table").drop(columns="dataset")
        for folder in (tmp_path / "run", local.folder)
    )
    assert frame.equals(expected)
