import json

import mrcfile
import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.simulate.density import density
from cryopick_ray.simulate.library import load_molecule


def call(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def test_templates_of_a_molecule_pick_it(tmp_path):
    model = tmp_path / "apo.safetensors"
    status, text, errors = call("models", "template", "apoferritin", "--out", model, "--json")
    assert status == 0, errors
    made = json.loads(text)
    assert (made["model"], made["name"], made["particle_px"]) == (str(model), "template-apoferritin", 12)
    status, text, _ = call("models", "show", model)
    assert (status, "template-apoferritin" in text) == (0, True)
    simulated, diameter = tmp_path / "simulated", ["--diameter", made["diameter_A"]]
    scene = ["--molecules", "apoferritin", "--shape", "384x384", "--pixel-size", "4", "--particles", "30"]
    assert call("simulate", *scene, "--micrographs", "1", "--engine", "serial", "--out", simulated)[0] == 0
    run = ["run", simulated / "micrographs", *diameter, "--model", model, "--engine", "serial"]
    status, _, errors = call(*run, "--out", tmp_path / "run")
    assert status == 0, errors
    status, text, errors = call("evaluate", tmp_path / "run", "--truth", simulated / "truth", "--json")
    assert status == 0, errors
    assert json.loads(text)["pooled"]["best_f1"] > 0.8
    status, _, errors = call(*run, "--particle-px", "16", "--out", tmp_path / "other")
    assert (status, "--particle-px 16" in errors) == (2, True)


def test_a_map_makes_the_templates_of_what_is_in_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with mrcfile.new(tmp_path / "my map.mrc") as file:
        file.set_data(density(load_molecule("betagal"), 5.0, 64))
        file.voxel_size = 5.0
    step = ["--diameter", 190, "--angular-step", 30, "--json"]
    status, text, errors = call("models", "template", "my map.mrc", *step)
    assert status == 0, errors
    mapped = json.loads(text)
    assert mapped["name"] == "template-my-map"
    assert (tmp_path / mapped["model"]).is_file()
    status, text, _ = call("models", "template", "betagal", *step)
    assert json.loads(text)["parameters"]["count"] == pytest.approx(mapped["parameters"]["count"], rel=0.3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], ["'nothing'", "apoferritin", ".mrc"]),
        (["missing.mrc"], ["missing.mrc"]),
        (["broken.mrc"], ["broken.mrc"]),
        (["betagal", "--diameter", "19"], ["--diameter 19", "182", "91 to 365"]),
        (["betagal", "--diameter", "nan"], ["--diameter nan"]),
        (["betagal", "--particle-px", "0"], ["--particle-px 0", "6 to 32"]),
        (["betagal", "--angular-step", "2"], ["--angular-step 2", "7 to 90"]),
        (["betagal", "--out", "model.txt"], ["model.txt", ".safetensors"]),
    ],
)
def test_a_wrong_value_is_named_and_nothing_is_written(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.mrc").write_bytes(np.arange(500, dtype=np.uint8).repeat(4).tobytes())
    status, _, errors = call("models", "template", *arguments)
    assert status in (1, 2)
    assert all(word in errors for word in words), errors
    assert [path.name for path in tmp_path.iterdir()] == ["broken.mrc"]
