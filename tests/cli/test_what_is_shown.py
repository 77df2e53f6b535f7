"""What a person reads at the end of a command, and when one is cut short."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.evaluate import _text
from cli.group import Group
from cli.main import app

ROOT = Path(__file__).resolve().parents[2]
SCORE = {
    "n_truth": 12345,
    "n_picks": 12001,
    "precision": 0.9512,
    "recall": 0.25,
    "f1": 0.5,
    "best_f1": None,
    "best_threshold": -12.25,
    "auprc": 1.0,
}


@pytest.mark.parametrize("width", [80, 100, 10**6])
def test_scores_fit_the_terminal_and_no_number_is_cut(width):
    name = "FoilHole_19046696_Data_19044472_19044473_20200102_1234_Fractions.mrc"
    outcome = {
        "micrographs": [{"micrograph_id": name, "score": SCORE}],
        "pooled": SCORE,
        "notes": ["1 micrograph has no truth"],
        "reliability": None,
    }
    head, line, pooled, note = _text(outcome, width).splitlines()
    assert max(map(len, (head, line, pooled))) <= width
    numbers = ["12345", "12001", "0.951", "0.250", "0.500", "-", "-12.250", "1.000"]
    assert re.split(r" +", line)[1:] == re.split(r" +", pooled)[1:] == numbers
    shown = line.split(" ")[0]
    assert (
        shown == name if width > 200 else (shown.startswith("Foil"), shown.endswith(".mrc")) == (True, True)
    )
    assert note == "1 micrograph has no truth"


@pytest.mark.parametrize(("can_resume", "said"), [(True, "go on with --resume"), (False, "interrupted\n")])
def test_an_interrupted_command_advises_only_what_it_has(can_resume, said):
    cut_short = typer.Typer(cls=Group)

    def one(resume: bool = False) -> None:
        raise KeyboardInterrupt

    def other() -> None:
        raise KeyboardInterrupt

    cut_short.command("work")(one if can_resume else other)
    cut_short.command("rest")(other)
    result = CliRunner().invoke(cut_short, ["work"])
    assert (result.exit_code, said in result.stderr) == (130, True)


def test_help_names_the_unit_the_default_and_the_variable():
    text = CliRunner().invoke(app, ["run", "--help"], env={"COLUMNS": "200"}).stdout
    for words in (
        r"--dose-per-frame +e/A2 ",
        r"--binning +X .*default: 1\.",
        r"--engine +ray\|serial .*default: ray\.",
        r"env var: CRYOPICK_ADDRESS",
        r"not asked --exact",
    ):
        assert re.search(words, text), words
    assert "PydanticUndefined" not in text
    assert "`" not in text


@pytest.mark.parametrize(
    ("command", "example"), [("run", "movies.first_frame=1"), ("simulate", "scene.minimum_distance=0.85")]
)
def test_help_shows_a_setting_that_has_no_option(command, example):
    text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout
    assert example in text


@pytest.mark.parametrize(
    ("arguments", "light"),
    [(["--help"], "pydantic numpy torch ray"), (["run", "--help"], "torch ray pandas")],
)
def test_help_is_there_at_once(arguments, light):
    code = (
        "import contextlib, io, sys\n"
        "from cli.main import app\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    app({arguments})\n"
        f"print(*set({light!r}.split()) & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
