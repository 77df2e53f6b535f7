"""The command line as a person meets it: usage, errors, exit statuses."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray import __version__

COMMANDS = [
    "run",
    "ingest",
    "pick",
    "table",
    "export",
    "convert",
    "ctf",
    "extract",
    "classify2d",
    "reconstruct",
    "iterate",
    "report",
    "diameter",
    "evaluate",
    "compare",
    "models",
    "bench",
    "relion",
]


def call(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def test_version_and_help():
    assert call("--version") == (0, f"cryopick {__version__}\n", "")
    status, text, _ = call("--help")
    assert status == 0
    assert all(f" {command} " in text for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    status, text, _ = call(command, "--help")
    assert status == 0
    assert "Usage" in text


def test_a_missing_diameter_names_the_option_and_leaves_no_trace(tmp_path):
    status, _, errors = call("pick", "--store", tmp_path / "s", "--out", tmp_path / "picks")
    assert status == 2
    assert "--diameter is missing" in errors
    assert "cryopick diameter INPUT" in errors
    assert not (tmp_path / "picks").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--diameter", "-5"], "--diameter is -5"),
        (["--diameter", "nan"], "--diameter is nan"),
        (["--diameter", "100", "--threshold", "high"], "--threshold is 'high'"),
        (["--diameter", "100", "--threshold", "inf"], "--threshold is inf"),
        (["--diameter", "100", "--workers", "0"], "--workers is 0: expected a number or LO,HI"),
        (["--diameter", "100", "--gpus-per-worker", "2"], "--gpus-per-worker is 2"),
        (["--diameter", "100", "--model", "nothing"], "no model 'nothing'"),
        (["--diameter", "100", "--particle-px", "1"], "--particle-px is 1"),
        (["--diameter", "100", "--amplitude-contrast", "3"], "--amplitude-contrast"),
    ],
)
def test_a_wrong_value_is_named_with_its_option(tmp_path, arguments, words):
    status, _, errors = call("run", tmp_path, "--out", tmp_path / "run", *arguments)
    assert status == 2
    assert words in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "run").exists()


def test_missing_and_empty_inputs_are_named(tmp_path):
    status, _, errors = call("run", tmp_path / "nowhere", "--out", tmp_path / "run", "--diameter", 100)
    assert (status, "nowhere" in errors) == (2, True)
    (tmp_path / "bare").mkdir()
    status, _, errors = call("run", tmp_path / "bare", "--out", tmp_path / "run", "--diameter", 100)
    assert (status, ".mrc" in errors) == (2, True)


def test_resuming_what_is_no_run_says_so(tmp_path):
    status, _, errors = call("run", "--out", tmp_path / "nowhere", "--resume")
    assert (status, "no run to resume" in errors) == (2, True)


def test_an_address_where_nobody_answers_is_refused_at_once(tmp_path):
    (tmp_path / "in").mkdir()
    picture = tmp_path / "in" / "m.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (256, 256)).astype(np.uint8)).save(picture)
    arguments = ["--out", tmp_path / "run", "--diameter", 60, "--pixel-size", 3, "--address", "127.0.0.1:1"]
    status, _, errors = call("run", tmp_path / "in", *arguments)
    assert (status, "nobody answers" in errors) == (1, True)


def test_debug_shows_where_an_error_came_from(tmp_path):
    assert "Traceback" in call("table", tmp_path, "--out", tmp_path / "t", "--debug")[2]
    assert "Traceback" not in call("table", tmp_path, "--out", tmp_path / "t")[2]


def test_a_folder_that_is_no_run_or_no_table_is_refused(tmp_path):
    assert call("report", tmp_path)[0] == 2
    assert call("export", tmp_path, "--format", "star", "--out", tmp_path / "o")[0] == 1
    assert call("evaluate", tmp_path, "--truth", tmp_path)[0] == 2
    assert call("pick", "--store", tmp_path, "--out", tmp_path / "p", "--diameter", 100)[0] == 1


def test_settings_files_with_unknown_keys_or_no_settings_are_refused(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("inputs: [a]\ndiameter_A: 100\ndiametre: 3\n")
    status, _, errors = call("run", "--config", config, "--out", tmp_path / "run")
    assert (status, "diametre is not a setting" in errors) == (2, True)
    for text in ("just words", "a: [", "- 1"):
        config.write_text(text)
        assert call("run", "--config", config, "--out", tmp_path / "run")[0] == 2


def test_models_are_listed_and_shown():
    assert "log" in json.loads(call("models", "list", "--json")[1])
    assert json.loads(call("models", "show", "log", "--json")[1])["particle_px"] > 0
    assert call("models", "show", "nothing")[0] == 2


def test_a_file_that_is_no_model_is_refused(tmp_path):
    file = tmp_path / "weights.sav"
    file.write_bytes(b"not weights")
    status, _, errors = call("models", "import", file)
    assert status == 1
    assert "weights.sav" in errors
    assert call("run", tmp_path, "--diameter", 100, "--out", tmp_path / "r", "--model", file)[0] == 1


def test_convert_says_what_it_did_and_what_it_needs(tmp_path):
    (tmp_path / "x.box").write_text("1 2 8 8 0.5\n")
    status, text, _ = call(
        "convert", tmp_path / "x.box", "--to", "topaz", "--binning", 2, "--out", tmp_path / "out", "--json"
    )
    assert status == 0
    done = json.loads(text)
    assert (done["from"], done["to"], done["particles"]) == ("box", "topaz", 1)
    assert done["notes"] == ["Topaz table has no room for sizes of boxes, fractions of pixels: left out"]
    assert (tmp_path / "out" / "picks.txt").read_text().splitlines()[1] == "x\t10\t12\t0.5"
    status, _, errors = call("convert", tmp_path / "x.box", "--to", "xml", "--out", tmp_path / "out")
    assert (status, "--to" in errors) == (2, True)
    (tmp_path / "x.dat").write_text("1 2 8 8\n")
    status, _, errors = call("convert", tmp_path / "x.dat", "--to", "star", "--out", tmp_path / "out")
    assert (status, "may be box or imod" in errors, "--from" in errors) == (2, True, True)
