"""The models that come with the package: whole, small, honest about themselves, and able to pick."""

import datetime
import json
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray import DEFAULT_MODEL, FILAMENT_MODEL
from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.pickers import shipped
from cryopick_ray.pickers.catalogue import describe, load_picker, weights_file
from cryopick_ray.pickers.shipped import FOLDER, shipped_models
from cryopick_ray.pickers.weights import load_model
from cryopick_ray.settings.config import read_yaml
from cryopick_ray.simulate.filament_kinds import KEPT_OUT as KEPT_OUT_FILAMENTS
from cryopick_ray.simulate.library import list_filaments, list_molecules
from cryopick_ray.suite.suite_settings import suite_settings

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted({DEFAULT_MODEL, *(path.stem for path in FOLDER.glob("*.json"))})
"""The default model is asked for even where it is missing, so that its absence fails."""
SUITE = suite_settings(read_yaml(ROOT / "examples" / "10_suite.yaml"))
OF_PARTICLES = [name for name in NAMES if name != FILAMENT_MODEL]
KEPT_OUT = {
    *KEPT_OUT_FILAMENTS,
    "apoferritin",
    "small-shell",
    "shell",
    *(molecule for group in SUITE.groups() for molecule in group.molecules),
}
"""What examples/10_suite.yaml measures generalisation on, and what looks like apoferritin."""
MOST_BYTES = 40e6
SMALLER = ("--shape", "640x640", "--engine", "serial")
LEAST_F1 = 0.5
"""At a model's own threshold, on one simulated micrograph: no measure of quality, but no chance either."""


def call(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """One micrograph of beta-galactosidase, and its truth."""
    out = tmp_path_factory.mktemp("simulated") / "demo"
    call(
        "simulate", "--config", ROOT / "examples/01_simulate.yaml", "--micrographs", 1, *SMALLER, "--out", out
    )
    return out


def test_the_folder_holds_pairs_of_weights_and_cards_and_nothing_else():
    found = {path.name for path in FOLDER.iterdir()}
    assert found == {f"{name}{ending}" for name in NAMES for ending in (".safetensors", ".json")}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < MOST_BYTES


def test_every_file_is_installed():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    for path in FOLDER.iterdir():
        name = path.relative_to(FOLDER.parent).as_posix()
        assert any(fnmatch(name, pattern) for pattern in patterns["cryopick_ray.pickers"]), name


@pytest.mark.parametrize("name", NAMES)
def test_a_card_is_of_its_weights_and_says_what_a_person_must_know(name):
    _, card = load_model(FOLDER / f"{name}.safetensors")  # refuses weights of another digest
    assert card.name == name
    if card.threshold is None:  # then a run's own scores tell, by their log odds
        assert load_picker(
            name, particle_px=None, device="cpu", exact=False, precision="float32"
        ).is_probability
    assert card.scores
    assert isinstance(card.date, datetime.date)
    assert card.training_seconds is not None
    assert all((card.licence, card.source, card.device, card.limits, card.trained_on.sets))


@pytest.mark.parametrize("name", NAMES)
def test_no_model_was_taught_what_the_others_are_measured_on(name):
    _, card = load_model(FOLDER / f"{name}.safetensors")
    assert {data_set.molecule for data_set in card.trained_on.sets}.isdisjoint(KEPT_OUT)
    assert not any("10146" in data_set.dataset for data_set in card.trained_on.sets)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_model_learnt_from_is_molecules_that_there_are_in_few_words(name):
    _, card = load_model(FOLDER / f"{name}.safetensors")
    known = {molecule.name for molecule in (*list_molecules(), *list_filaments())}
    assert {data_set.molecule for data_set in card.trained_on.sets} <= known
    assert {data_set.dataset for data_set in card.trained_on.sets if not data_set.simulated} <= {
        "betagal-10017"
    }
    lines = call("models", "show", name).splitlines()
    assert len(lines) < 30
    assert f"{card.trained_on.particles} particles in {card.trained_on.micrographs} micrographs" in str(lines)
    listed = json.loads(call("models", "show", name, "--json"))["trained_on"]["sets"]
    assert len(listed) == len(card.trained_on.sets) >= 54


@pytest.mark.parametrize("name", OF_PARTICLES)
def test_a_model_picks_by_its_name(name, simulated, tmp_path):
    alone = ["--engine", "serial", "--device", "cpu", "--out", tmp_path / "run"]
    call("run", simulated / "micrographs", "--diameter", 180, "--model", name, *alone)
    scored = json.loads(call("evaluate", tmp_path / "run", "--truth", simulated / "truth", "--json"))
    assert scored["pooled"]["f1"] > LEAST_F1
    kept = next((tmp_path / "run" / "picks").glob("*/settings.json"))
    described = json.loads(kept.read_text())
    card = json.loads((FOLDER / f"{name}.json").read_text())
    assert (described["model"], described["picker"]["weights"]) == (name, card["digest"])
    assert f"model: {name}\n" in (tmp_path / "run" / "config.yaml").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_name_and_its_file_are_one_picker(name):
    file = weights_file(name)
    by_name, by_file = (load_picker(str(source), particle_px=None, device="cpu") for source in (name, file))
    assert by_name.settings() == by_file.settings()
    assert describe(name) == describe(str(file))


def test_models_are_listed_each_in_a_line_with_one_default():
    lines = call("models", "list").splitlines()
    assert sorted(line.split()[0] for line in lines) == sorted([*NAMES, "log"])
    assert [line.split()[0] for line in lines if line.endswith("(default)")] == [DEFAULT_MODEL]
    assert all("MB" in line for line in lines if line.split()[0] in NAMES)
    assert json.loads(call("models", "list", "--json")).keys() == {*NAMES, "log"}
    assert f"`{DEFAULT_MODEL}` (default)" in (ROOT / "README.md").read_text()
    assert f"default: {DEFAULT_MODEL}" in " ".join(call("run", "--help").replace("│", " ").split())


def test_listing_models_loads_no_torch_and_no_weights():
    code = (
        "import sys; from cli.main import app; app(['models', 'list'], standalone_mode=False); "
        "print({'torch', 'safetensors'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "set()"


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(UsageError) as raised:
        load_picker("heatmap-generel", particle_px=None, device="cpu")
    assert all(name in str(raised.value) for name in (*NAMES, "log", "`model`"))


def test_a_damaged_card_says_what_mends_it(tmp_path, monkeypatch):
    (tmp_path / "broken.json").write_text("{")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    with pytest.raises(ModelError, match=r"broken\.json is damaged .*install"):
        shipped_models()["broken"].description()
    for text in ("{}", '{"scores": null}', '{"scores": {}, "architecture": "heatmap", "particle_px": 20}'):
        (tmp_path / "broken.json").write_text(text)
        with pytest.raises(ModelError, match=r"broken is damaged .*install"):
            shipped_models()["broken"].description()
