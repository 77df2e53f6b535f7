"""Labels in, a model out, and picks with it: through the real command."""

import json

import numpy as np
import pandas as pd
import pytest
import starfile
import yaml
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.pickers.weights import load_model

SMALL = ["options.base=6", "options.crop_px=96", "batch=4", "steps=25", "epochs=6"]
SMALL = [word for one in SMALL for word in ("--set", one)]
ALONE = ["--engine", "serial", "--threads", 1]


def config(folder, **changes):
    """Write a training's settings for the phantoms in ``folder``; return the file and the settings."""
    item = {
        "name": "phantoms",
        "micrographs": [str(folder / "micrographs")],
        "labels": str(folder / "truth"),
        "diameter_A": 150,
        "test": ["square0/0[0-2]*"],
    }
    return {"network": "heatmap", "data": [item | changes]}


def written(tmp_path, settings):
    path = tmp_path / "training.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture(scope="session")
def trained(phantoms, tmp_path_factory):
    """A model trained for seconds on phantoms."""
    folder = tmp_path_factory.mktemp("trained")
    arguments = [
        "train",
        written(folder, config(phantoms)),
        "--out",
        folder / "model",
        *SMALL,
        *ALONE,
        "--json",
    ]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return folder / "model", json.loads(result.stdout)


def test_a_training_leaves_what_it_promises(trained):
    folder, outcome = trained
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    assert names == {
        "config.yaml",
        "stores",
        "checkpoints",
        "heatmap-phantoms.safetensors",
        "heatmap-phantoms.json",
        "summary.json",
        "report.html",
    }
    log = pd.read_csv(folder / "checkpoints" / "log.csv")
    assert list(log.epoch) == [1, 2, 3, 4, 5, 6]
    assert log.train_loss.iloc[-1] < log.train_loss.iloc[0] / 3
    (line,) = outcome["lines"]
    assert (line["dataset"], line["micrographs"], line["overlap"]) == ("phantoms", 3, False)
    assert line["score"]["f1"] > 0.9
    _, card = load_model(folder / "heatmap-phantoms.safetensors")
    assert card.scores["test_f1"] == pytest.approx(line["score"]["f1"])
    assert card.threshold is not None


def test_the_model_picks_at_its_own_threshold_and_teaches_itself(trained, phantoms, cryopick, tmp_path):
    model = trained[0] / "heatmap-phantoms.safetensors"
    inputs = [phantoms / "micrographs", "--diameter", 150, "--model", model]
    status, _, _ = cryopick("run", *inputs, "--out", tmp_path / "first", "--engine", "serial")
    assert status == 0
    first = json.loads((tmp_path / "first" / "summary.json").read_text())
    assert first["thresholds"]["micrographs"]["method"] == "the model's own"
    quick = ["--set", "epochs=2", "--set", "steps=10", "--set", "options.crop_px=96"]
    status, _, _ = cryopick(
        "self-train", tmp_path / "first", "--out", tmp_path / "second", "--teacher", "self", *quick, *ALONE
    )
    assert status == 0
    second = json.loads((tmp_path / "second" / "summary.json").read_text())
    assert second["complete"] == 12
    taught = json.loads((tmp_path / "second" / "training" / "round-1" / "summary.json").read_text())
    own, *simulated = taught["card"]["trained_on"]["sets"]
    assert own["dataset"] == "micrographs"
    assert [record["simulated"] for record in simulated] == [True] * 6
    (before,) = taught["card"]["trained_on"]["before"]["sets"]
    assert (before["dataset"], before["micrographs"]) == ("phantoms", 7)
    scores = []
    for run in ("first", "second"):
        _, output, _ = cryopick("evaluate", tmp_path / run, "--truth", phantoms / "truth", "--json")
        scores.append(json.loads(output)["pooled"]["f1"])
    assert min(scores) > 0.9


def test_a_finished_training_is_not_done_again(trained, phantoms, cryopick, tmp_path):
    folder, outcome = trained
    again = ["train", written(tmp_path, config(phantoms)), "--out", folder, *SMALL, *ALONE, "--json"]
    status, _, errors = cryopick(*again)
    assert (status, "--resume" in errors) == (2, True)
    status, output, _ = cryopick(*again, "--resume")
    assert status == 0
    assert json.loads(output)["lines"] == outcome["lines"]
    status, _, errors = cryopick(*again, "--resume", "--set", "seed=5")
    assert (status, "seed: 0 -> 5" in errors) == (2, True)


def test_each_fold_is_tested_on_what_it_did_not_learn(phantoms, cryopick, tmp_path):
    settings = config(phantoms, test=[]) | {"folds": 2, "validation_share": 0.0}
    quick = [
        "--set",
        "options.base=2",
        "--set",
        "steps=2",
        "--set",
        "epochs=1",
        "--set",
        "options.crop_px=64",
    ]
    status, output, _ = cryopick(
        "train", written(tmp_path, settings), "--out", tmp_path / "out", *quick, *ALONE, "--json"
    )
    assert status == 0
    lines = json.loads(output)["lines"]
    assert [line["part"] for line in lines] == ["fold-1", "fold-2"]
    assert sum(line["micrographs"] for line in lines) == 12
    truth = [len(starfile.read(path)) for path in (phantoms / "truth").rglob("*.star")]
    assert sum(line["score"]["n_truth"] for line in lines) == sum(truth)


def test_false_picks_of_a_round_teach_the_next(phantoms, cryopick, tmp_path):
    settings = config(phantoms, repeat=3) | {"network": "deepem", "rounds": 2, "learning_rate": 4.0}
    quick = ["--set", "options.box_px=32", "--set", "options.particle_px=21", "--set", "steps=5"]
    status, _, errors = cryopick(
        "train", written(tmp_path, settings), "--out", tmp_path / "out", *quick, "--set", "epochs=1", *ALONE
    )
    assert status == 0
    assert "false picks are negatives of the next" in errors
    assert (tmp_path / "out" / "round-1" / "deepem-phantoms.safetensors").is_file()
    _, card = load_model(tmp_path / "out" / "deepem-phantoms.safetensors")
    assert card.trained_on.micrographs == 7  # each once, though shown three times


def star(path, x, y):
    starfile.write(pd.DataFrame({"rlnCoordinateX": x, "rlnCoordinateY": y}), path)


def outside(folder):
    star(folder / "00.star", [10.0, 9999.0], [10.0, 10.0])


def orphan(folder):
    star(folder / "elsewhere.star", [10.0], [10.0])


def emptied(folder):
    for path in folder.rglob("*.star"):
        star(path, np.empty(0), np.empty(0))


def hollow(folder):
    (folder / "00.star").write_text("")


@pytest.mark.parametrize(
    ("spoil", "changes", "words"),
    [
        (outside, {}, ["1 labels of 00.mrc", "x 9999, y 10"]),
        (orphan, {}, ["elsewhere", "no micrograph"]),
        (emptied, {}, ["labelled particle", "one class"]),
        (hollow, {}, ["00.star", "no STAR block"]),
        (None, {"diameter_A": 0}, ["diameter_A is 0"]),
        (None, {"labels": "/nowhere"}, ["/nowhere", "does not exist"]),
        (None, {"test": ["unknown*"]}, ["unknown*", "fits no labelled micrograph"]),
        (None, {"test": ["*"]}, ["no micrograph is left to learn from"]),
        (None, {"diameter": 100}, ["diameter is not a setting"]),
    ],
)
def test_bad_input_is_told_before_anything_is_learned(phantoms, cryopick, tmp_path, spoil, changes, words):
    (tmp_path / "labels").mkdir()
    for number in range(6):
        name = f"{number:02d}"
        frame = starfile.read(phantoms / "truth" / "square0" / f"{name}.star")
        starfile.write(frame, tmp_path / "labels" / f"{name}.star")
    if spoil:
        spoil(tmp_path / "labels")
    place = {"micrographs": [str(phantoms / "micrographs" / "square0")], "labels": str(tmp_path / "labels")}
    settings = config(phantoms, **({"test": []} | place | changes))
    status, _, errors = cryopick("train", written(tmp_path, settings), "--out", tmp_path / "out", *ALONE)
    assert status in (1, 2)
    assert all(word in errors for word in words), errors
    assert not list(tmp_path.rglob("checkpoint*"))


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("network=unet", "no network 'unet' to train"),
        ("options.layers=3", "layers is not an option of heatmap"),
        ("options.base=many", "options.base of heatmap is 'many'"),
        ("epochs=0", "epochs is 0"),
        ("start=nothing.safetensors", "nothing.safetensors"),
        ("folds=molecules", "needs two molecules"),
        ("rounds=2", "rounds"),
    ],
)
def test_a_wrong_setting_is_named(phantoms, cryopick, tmp_path, assignment, words):
    settings = written(tmp_path, config(phantoms, test=[]))
    status, _, errors = cryopick("train", settings, "--out", tmp_path / "out", "--set", assignment, *ALONE)
    assert status in (1, 2)
    assert words in errors, errors


def test_a_training_is_no_run(trained, cryopick):
    status, _, errors = cryopick("run", "--out", trained[0], "--resume")
    assert status == 2
    assert "holds a training, not a run" in errors


def test_the_log_has_no_network_to_teach(serial_run, cryopick, tmp_path):
    status, _, errors = cryopick("self-train", serial_run, "--out", tmp_path / "second", *ALONE)
    assert status == 1
    assert "log has no network that can learn" in errors
    assert not (tmp_path / "second").exists()
