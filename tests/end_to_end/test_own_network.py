"""Another package's network: found, taught and used like one of ours; a bad package harms only itself."""

import json
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.pickers.registry import (
    GROUP,
    LEARNING,
    find_network,
    find_training,
    list_networks,
    network_names,
)

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "13_own_network"
ALONE = ["--engine", "serial", "--device", "cpu", "--threads", 1]


def install(site, project, version, points):
    """Write what an installer writes of a package with such entry points."""
    info = site / f"{project.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An empty folder that Python imports from; what is imported from it is forgotten at the end."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def disc(site):
    """The example, installed."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copytree(EXAMPLE / "disc_network", site / "disc_network")
    install(site, project["name"], project["version"], project["entry-points"][GROUP])
    return site


def test_a_package_adds_a_network_that_learns_and_picks(disc, cryopick, tmp_path):
    simulated = {"molecules": ["rubisco"], "micrographs": 3, "settings": {"height_px": 512, "width_px": 512}}
    training = tmp_path / "training.yaml"
    training.write_text(yaml.safe_dump({"network": "disc", "epochs": 2, "simulated": [simulated]}))
    status, _, errors = cryopick("train", training, "--out", tmp_path / "out", *ALONE)
    assert status == 0, errors
    model = tmp_path / "out" / "disc-rubisco.safetensors"
    assert json.loads(model.with_suffix(".json").read_text())["parameters"] == {"kernels": 8}
    micrographs = tmp_path / "out" / "simulated" / "rubisco"
    run = ["run", micrographs / "micrographs", "--diameter", 132, "--model", model, *ALONE]
    status, _, errors = cryopick(*run, "--out", tmp_path / "run")
    assert status == 0, errors
    _, output, _ = cryopick("evaluate", tmp_path / "run", "--truth", micrographs / "truth", "--json")
    assert json.loads(output)["pooled"]["auprc"] > 0.5


def test_its_code_is_imported_when_it_is_asked_for_and_its_options_are_its_recipes(disc, cryopick):
    assert network_names()[-1] == "disc"
    with pytest.raises(UsageError, match=r"no network 'unet' to train; expected one of .*disc"):
        find_training("unet")
    assert "disc_network" not in sys.modules
    assert cryopick("models", "options")[1].splitlines()[-1] == "disc             5 epochs of 40 steps"
    assert "disc_network.picker" not in sys.modules  # a list needs the record alone
    status, output, _ = cryopick("models", "options", "disc", "--json")
    assert (status, json.loads(output)) == (
        0,
        {"kernels": 8, "particle_px": 12.0, "batch": 32, "learning_rate": 3e-3},
    )


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("lost", "import nowhere_to_be_found", "No module named 'nowhere_to_be_found'"),
        ("ends", "raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("number", "RECORD = 7", "is a int; expected"),
        ("other", "from cryopick_ray.pickers.heatmap.record import RECORD", "its record is of 'heatmap'"),
        (
            "crooked",
            "from cryopick_ray.pickers.record import Network\n"
            "RECORD = Network('crooked', 'a.b', 'a:B', frozenset())",
            "names the class 'a.b'; expected module:Class",
        ),
    ],
)
def test_a_broken_package_is_told_by_name_and_breaks_no_other(disc, cryopick, name, code, words):
    (disc / f"{name}_network.py").write_text(code)
    install(disc, f"{name}-network", "0.3", {name: f"{name}_network:RECORD"})
    with pytest.raises(ModelError) as caught:
        find_network(name)
    assert f"the network {name} of {name}-network 0.3 cannot be used: " in str(caught.value)
    assert words in str(caught.value)
    assert find_network("disc").name == "disc"
    status, output, errors = cryopick("models", "options")
    assert (status, len(output.splitlines()), errors.strip()) == (0, len(LEARNING) + 1, str(caught.value))


def test_a_class_that_cannot_be_imported_is_named(disc, cryopick):
    (disc / "disc_network" / "recipe.py").write_text("import nowhere_to_be_found")
    status, _, errors = cryopick("models", "options", "disc")
    assert status == 1
    assert "disc_network.recipe:DiscRecipe cannot be imported: ModuleNotFoundError" in errors


def test_a_name_that_is_taken_is_refused_in_words(disc):
    install(disc, "better", "2.0", {"heatmap": "disc_network.record:RECORD"})
    assert find_network("heatmap").network.startswith("cryopick_ray.")
    (wrong,) = list_networks()[1]
    assert wrong.startswith(
        "the network heatmap of better 2.0 is left out: the name is taken by cryopick-ray's"
    )
    install(disc, "second", "4.0", {"disc": "disc_network.record:RECORD"})
    with pytest.raises(ModelError, match=r"one of disc-network 1\.0 and one of second 4\.0; uninstall"):
        find_network("disc")
    assert "disc" not in {one.name for one in list_networks()[0]}
