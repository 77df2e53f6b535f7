"""Several networks taught without each family in turn: through the real command."""

import csv
import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cli.main import app

ALONE = ["--engine", "serial", "--threads", 1]
SMALL = {"height_px": 256, "width_px": 256, "scene": {"aggregates": 0}}
GROUP = {
    "molecules": ["rubisco", "ring", "lock-washer"],
    "micrographs": 1,
    "particle_px": 24,
    "settings": SMALL,
}
STUDY = {
    "networks": {
        "heatmap": {"options": {"base": 4, "crop_px": 64}, "steps": 25},
        "deepem": {"options": {"box_px": 32, "particle_px": 21}, "steps": 3},
    },
    "folds": "families",
    "epochs": 2,
    "validation_share": 0,
    "simulated": [GROUP | {"name": "plain", "seed": 1}, GROUP | {"name": "faint", "seed": 2}],
}
TRAININGS = [(network, part) for network in ("heatmap", "deepem") for part in ("globular", "rings")]


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def written(path, data):
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def finished(out):
    """Return when each training's summary was written."""
    return {
        (path.parts[-3], path.parts[-2]): path.stat().st_mtime_ns for path in out.glob("*/*/summary.json")
    }


@pytest.fixture(scope="session")
def studied(tmp_path_factory):
    """The folder of a finished study, and what the command said."""
    folder = tmp_path_factory.mktemp("study")
    done = call("train", written(folder / "study.yaml", STUDY), "--out", folder / "out", *ALONE, "--json")
    assert done.exit_code == 0, done.output
    return folder / "out", done


def test_every_network_is_tested_on_the_families_that_it_has_not_seen(studied):
    out, done = studied
    rows = json.loads(done.stdout)["rows"]
    assert [(row["network"], row["left_out"]) for row in rows] == TRAININGS
    assert {row["left_out"]: row["micrographs"] for row in rows} == {"globular": 2, "rings": 4}
    for network, part in TRAININGS:
        kept = json.loads((out / network / f"without-{part}" / "summary.json").read_text())
        learnt = {record["molecule"] for record in kept["card"]["trained_on"]["sets"]}
        assert learnt == ({"rubisco"} if part == "rings" else {"ring", "lock-washer"})
        assert not any(line["overlap"] for line in kept["test"])
        assert kept["whole"]["score"]["n_truth"] == sum(line["score"]["n_truth"] for line in kept["test"])
        assert Path(kept["model"]).parent == out / network / f"without-{part}"
    best = {(row["network"], row["left_out"]): row["score"]["best_f1"] for row in rows}
    assert best["heatmap", "rings"] > 0.5  # learns, and finds what it has not seen


def test_micrographs_are_simulated_once_for_all_networks(studied):
    out = studied[0]
    assert len(list(out.glob("simulated/*/micrographs/*.mrc"))) == 6
    assert not list(out.glob("*/simulated"))
    assert not list(out.glob("*/without-*/simulated"))


def test_progress_and_the_table_tell_every_training(studied):
    out, done = studied
    assert "deepem, network 2 of 2: 2 trainings" in done.stderr
    assert "without-rings, 2 of 2: 2 micrographs to learn from, 4 to test" in done.stderr
    outcome = json.loads(done.stdout)
    assert json.loads((out / "study.json").read_text())["rows"] == outcome["rows"]
    with (out / "study.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [float(line["auprc"]) for line in lines] == [row["score"]["auprc"] for row in outcome["rows"]]
    (line,) = (line for line in (out / "study.md").read_text().splitlines() if line.startswith("| rings |"))
    for row in outcome["rows"]:
        if row["left_out"] == "rings":
            assert f"{row['score']['f1']:.3f} / {row['score']['best_f1']:.3f}" in line


def test_what_is_finished_is_not_done_again_and_what_is_lost_is(studied, tmp_path):
    out, done = studied
    file = out.parent / "study.yaml"
    refused = call("train", file, "--out", out, *ALONE)
    assert (refused.exit_code, "--resume" in refused.stderr) == (2, True)
    before = finished(out)
    assert len(before) == 4
    (out / "deepem" / "without-rings" / "summary.json").write_text("{")
    again = call("train", file, "--out", out, *ALONE, "--resume", "--json")
    assert again.exit_code == 0, again.output
    after = finished(out)
    assert {key for key in after if after[key] != before[key]} == {("deepem", "without-rings")}
    scores = [[row["score"] for row in json.loads(item.stdout)["rows"]] for item in (done, again)]
    assert scores[0] == scores[1]
    changed = call("train", file, "--out", out, *ALONE, "--resume", "--set", "networks.deepem.seed=3")
    assert (changed.exit_code, "networks.deepem.seed: 0 -> 3" in changed.stderr) == (2, True)
    run = call(
        "train", written(tmp_path / "one.yaml", {"network": "heatmap", "simulated": [GROUP]}), "--out", out
    )
    assert (run.exit_code, "holds a study, not a training" in run.stderr) == (2, True)


def test_nothing_is_learned_before_the_last_network_is_checked(tmp_path):
    networks = STUDY["networks"] | {"topaz": {"options": {"particle_px": 50}}}
    file = written(tmp_path / "study.yaml", STUDY | {"networks": networks})
    done = call("train", file, "--out", tmp_path / "out", *ALONE)
    assert (done.exit_code, "topaz, which sees particles of 50 px" in done.stderr) == (2, True), done.stderr
    assert not list(tmp_path.rglob("checkpoint*"))
