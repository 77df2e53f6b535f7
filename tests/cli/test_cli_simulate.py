import json

import mrcfile
import pytest
import starfile
from typer.testing import CliRunner

from cli.main import app

SMALL = [
    *("--molecules", "apoferritin", "--shape", "192x256", "--pixel-size", "6"),
    *("--particles", "6", "--micrographs", "2", "--engine", "serial"),
]


def call(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def test_molecules_are_listed_without_a_folder():
    status, text, _ = call("simulate", "--list-molecules")
    assert (status, "apoferritin" in text) == (0, True)
    status, text, _ = call("simulate", "--list-molecules", "--json")
    molecules = json.loads(text)["molecules"]
    assert (status, len(molecules) >= 26) == (0, True)
    masses = [molecule["mass_kDa"] for molecule in molecules]
    assert min(masses) <= 50 < 3500 <= max(masses)
    assert len({molecule["name"] for molecule in molecules}) == len(molecules)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--molecules", "nothing"], ["'nothing'", "apoferritin", ".mrc"]),
        (["--particles", "20000"], ["20000 particles", "at most"]),
        (["--packing", "2"], ["--packing is 2", "from 0 to 1"]),
        (["--dose", "-5"], ["-5", "from 0.01 to 1000"]),
        (["--dose", "much"], ["'much'", "number"]),
        (["--shape", "512"], ["width of --shape", "valid integer"]),
        (["--shape", "10x512"], ["height of --shape", "'10'", "greater than or equal to 64"]),
        (["--shape", "axb"], ["--shape", "'a'"]),
        (["--set", "ice.colour=1"], ["ice.colour", "thickness_A"]),
        (["--set", "seed"], ["--set seed", "NAME=VALUE"]),
        (["--set", "seed=["], ["--seed is '['", "valid integer"]),
        (["--defocus", "2e4,1e4"], ["20000", "low <= high"]),
        (["--micrographs", "0"], ["micrographs is 0"]),
        (["--pixel-size", "nan"], ["--pixel-size is nan"]),
        (["--config", "nowhere.yaml"], ["nowhere.yaml"]),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed_and_nothing_is_written(tmp_path, arguments, words):
    status, _, errors = call("simulate", *SMALL, "--out", tmp_path / "out", *arguments)
    assert status == 2
    assert all(word in errors for word in words), errors
    assert not list(tmp_path.iterdir())


def test_what_is_missing_is_named(tmp_path):
    status, _, errors = call("simulate", *SMALL)
    assert (status, "--out" in errors) == (2, True)
    status, _, errors = call("simulate", "--out", tmp_path / "out")
    assert (status, "--molecules" in errors) == (2, True)


def test_a_simulation_runs_again_from_its_own_settings(tmp_path):
    status, text, _ = call("simulate", *SMALL, "--out", tmp_path / "one", "--defocus", "1e4,2e4", "--json")
    assert (status, json.loads(text)["micrographs"]) == (0, 2)
    config = tmp_path / "one" / "simulation.yaml"
    assert call("simulate", "--config", config, "--out", tmp_path / "two", "--engine", "serial")[0] == 0
    for path in sorted((tmp_path / "one").rglob("*")):
        twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert twin.is_dir() or twin.read_bytes() == path.read_bytes()
    status, _, errors = call("simulate", *SMALL, "--out", tmp_path / "one", "--seed", "1")
    assert (status, "seed: 0 -> 1" in errors) == (2, True)


def test_empty_micrographs_hold_nothing_and_are_evaluated_as_such(tmp_path):
    empty = tmp_path / "empty"
    assert call("simulate", *SMALL, "--out", empty, "--empty")[0] == 0
    for path in [*empty.glob("truth/*.star"), *empty.glob("decoys/*.star")]:
        assert len(starfile.read(path)["particles"]) == 0
    run = tmp_path / "run"
    micrographs, truth = empty / "micrographs", empty / "truth"
    assert call("run", micrographs, "--out", run, "--diameter", 120, "--engine", "serial")[0] in (0, 3)
    status, text, errors = call("evaluate", run, "--truth", truth, "--json")
    assert status == 0, errors
    assert json.loads(text)


def test_a_store_made_by_simulation_is_picked(tmp_path):
    store, out = tmp_path / "store.zarr", tmp_path / "out"
    assert call("simulate", *SMALL, "--out", out, "--store", store)[0] == 0
    picks = ["--store", store, "--out", tmp_path / "picks", "--diameter", 120, "--engine", "serial"]
    status, _, errors = call("pick", *picks)
    assert status == 0, errors
    assert not (out / "micrographs").exists()


def test_files_are_what_their_names_say(tmp_path):
    assert call("simulate", *SMALL, "--out", tmp_path)[0] == 0
    name = "simulated_000000"
    micrograph = mrcfile.read(tmp_path / "micrographs" / f"{name}.mrc")
    assert mrcfile.read(tmp_path / "masks" / f"{name}.mrc").shape == micrograph.shape == (192, 256)
    assert set(starfile.read(tmp_path / "truth" / f"{name}.star")) == {"optics", "molecules", "particles"}
