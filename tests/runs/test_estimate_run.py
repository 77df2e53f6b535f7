"""What ``cryopick plan`` says beside what a run then takes."""

import json

import mrcfile
import pytest
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.errors import UsageError
from cryopick_ray.runs.estimate.measured_rates import from_bench, spread
from cryopick_ray.simulate.phantom import make_phantom

SETTINGS = ("--model", "log", "--diameter", "150", "--pixel-size", "5", "--store-pixel-size", "5")


def call(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def micrographs(tmp_path_factory):
    root = tmp_path_factory.mktemp("sources") / "set"
    root.mkdir()
    for seed in range(9):
        pixels = make_phantom(seed, shape=(512, 512), particles=12).pixels
        mrcfile.write(root / f"{seed}.mrc", pixels, voxel_size=5.0)
    return root


def test_a_run_takes_the_bytes_that_were_foretold(micrographs, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = sorted(tmp_path.iterdir())
    status, text, _ = call("plan", micrographs, *SETTINGS, "--json")
    assert status == 0
    assert sorted(tmp_path.iterdir()) == before
    foretold = json.loads(text)
    status, text, _ = call(
        "run", micrographs, *SETTINGS, "--engine", "serial", "--out", tmp_path / "out", "--json"
    )
    assert status == 0
    store = tmp_path / "out" / "store.zarr"
    stored = sum(
        path.stat().st_size for path in store.rglob("*") if path.is_file() and "manifest" not in path.parts
    )
    assert foretold["micrographs"] == json.loads(text)["complete"] == 9
    assert foretold["source_bytes"] == sum(path.stat().st_size for path in micrographs.iterdir())
    assert foretold["store_bytes"] == pytest.approx(stored, rel=0.1)
    assert foretold["candidates"] == pytest.approx(json.loads(text)["candidates"], rel=0.3)
    assert foretold["cpu_hours"] > 0 == foretold["gpu_hours"]


def test_a_person_reads_what_bounds_the_run(micrographs):
    given = ("--workers", 4, "--bandwidth", "0.001", "--micrographs", 1000)
    status, text, _ = call("plan", micrographs, *SETTINGS, *given)
    assert status == 0
    assert text.startswith("1000 micrographs, 1.05 GB\n")
    assert [line.split()[-1] for line in text.splitlines() if line.startswith(("ingest ", "pick "))] == [
        "reading"
    ] * 2
    assert "4 CPU workers" in text


def test_a_sample_of_unreadable_files_is_wrong_usage(tmp_path):
    (tmp_path / "a.mrc").write_bytes(b"torn")
    status, _, text = call("plan", tmp_path, *SETTINGS)
    assert status == 2
    assert "a.mrc" in text
    assert "none can be read" in text


def bench(tmp_path, **changed):
    model = {
        "model": "tiny.safetensors",
        "name": "tiny",
        "device": "A GPU",
        "stored_shape": [100, 200],
        "candidates": 300,
        "stages": [{"name": "checksum", "bytes": 64e6}, {"name": "write", "bytes": 80_000 + 50_000}],
        "ingest": {"seconds": 0.05, "cpu_seconds": 0.06},
        "pick": {"seconds": 0.02, "cpu_seconds": 0.03},
    }
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"models": [model | changed, model | {"name": "other", "model": "other"}]}))
    return path


@pytest.mark.parametrize("where", [{}, {"CRYOPICK_ENGINE": "serial"}])
def test_an_archive_is_estimated_from_another_machines_rates(tmp_path, monkeypatch, where):
    for name, value in where.items():
        monkeypatch.setenv(name, value)
    given = ("--bench", bench(tmp_path), "--micrographs", 1000, "--bytes", "128e9")
    status, text, _ = call("plan", *given, "--gpus", 4, "--workers", 10, "--json")
    assert status == 0
    found = json.loads(text)
    assert found["store_bytes"] == 1000 * 2 * 50_000
    assert found["candidates"] == 600_000
    assert [record["seconds"] for record in found["stages"]] == pytest.approx(
        [1000 * 2 * 0.06 / 10, 1000 * 2 * 0.02 / 4]
    )
    assert found["gpu_hours"] == pytest.approx(1000 * 2 * 0.02 / 3600)
    status, text, _ = call("plan", *given, "--model", "tiny", "--gpus", 64)
    assert status == 0
    assert "64 GPUs" in text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "no INPUT"),
        (("--bench", "FILE"), "--micrographs"),
        (("--bench", "FILE", "--micrographs", 9, "--diameter", 3), "only --model"),
        (("--bench", "FILE", "--micrographs", 9, "--model", "unknown"), "has measured other, tiny"),
        (("--bench", "missing.json", "--micrographs", 9), "--bench missing.json"),
        (("--bench", "FILE", "--micrographs", -9), "--micrographs"),
        (("missing", "--micrographs", 9), "no such file"),
    ],
)
def test_wrong_usage_says_what_to_give(tmp_path, arguments, complaint):
    path = bench(tmp_path)
    status, _, text = call("plan", *(path if argument == "FILE" else argument for argument in arguments))
    assert status == 2
    assert complaint in text


@pytest.mark.parametrize(
    "changed",
    [
        {"candidates": "many"},
        {"candidates": -1},
        {"stages": []},
        {"stored_shape": [1]},
        {"ingest": None},
        {"name": []},
    ],
)
def test_a_file_that_bench_did_not_write_is_refused(tmp_path, changed):
    with pytest.raises(UsageError, match=r"not what `cryopick bench` prints"):
        from_bench(bench(tmp_path, **changed), None)


def test_a_sample_is_spread_over_the_whole_list():
    assert spread(list(range(100)), 4) == [0, 25, 50, 75]
    assert spread([7, 8], 4) == [7, 8]
