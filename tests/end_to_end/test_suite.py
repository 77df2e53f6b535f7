"""Models against each other over data sets: through the real command."""

import json
import shutil
import statistics
from pathlib import Path

import pytest
import yaml
from suite_commands import ALONE, EXAMPLES, SMALL, call, rows, work, written

from cryopick_ray.pickers.registry import LEARNING
from cryopick_ray.settings.config import read_yaml
from cryopick_ray.suite.sets import MicrographSet
from cryopick_ray.suite.suite_settings import suite_settings

TRAINING = {"network": "heatmap", "options": {"base": 4, "crop_px": 64}, "steps": 25, "epochs": 3}
MICROGRAPHS = {"p97-few": 1, "rubisco-few": 1, "nothing": 2, "phantoms": 3, "phantoms, diameter x 0.1": 3}


@pytest.fixture(scope="session")
def suite_file(phantoms, tmp_path_factory):
    """Two seeds of a small model that knows phantoms and Rubisco; the blob detector; sets of all kinds."""
    folder = tmp_path_factory.mktemp("suite")
    for name in ("00", "01", "02"):
        for kind, suffix in (("micrographs", "mrc"), ("truth", "star")):
            (folder / kind).mkdir(exist_ok=True)
            shutil.copy(phantoms / kind / "square0" / f"{name}.{suffix}", folder / kind)
    few = {"name": "phantoms", "micrographs": [str(folder / "micrographs")]}
    few |= {"labels": str(folder / "truth"), "diameter_A": 150}
    taught = {"data": [few], "simulated": [{"molecules": ["rubisco"], "micrographs": 1, "settings": SMALL}]}
    seeds = []
    for seed in (0, 1):
        config = written(folder / f"{seed}.yaml", TRAINING | taught | {"name": f"seed-{seed}", "seed": seed})
        done = call("train", config, "--out", folder / f"model-{seed}", *ALONE, "--threads", 1)
        assert done.exit_code == 0, done.output
        seeds.append(str(folder / f"model-{seed}" / f"seed-{seed}.safetensors"))
    some = {"micrographs": 1, "particle_px": 24, "settings": SMALL}
    suite = {
        "models": [{"name": "small", "seeds": seeds}, "log"],
        "data": [few | {"diameters_off": [0.1]}],
        "simulated": [{"name": "few", "molecules": ["rubisco", "p97"], "seed": 5} | some],
        "empty": [{"name": "nothing", "molecules": ["rubisco"], "seed": 6} | some | {"micrographs": 2}],
    }
    return written(folder / "suite.yaml", suite)


@pytest.fixture(scope="session")
def compared(suite_file):
    """The folder of the finished suite, and what the command said."""
    out = suite_file.parent / "out"
    return out, call("evaluate", "--suite", suite_file, "--out", out, *ALONE, "--json")


@pytest.fixture(scope="session")
def outcome(compared):
    return json.loads(compared[1].stdout)


def test_every_model_meets_every_set_and_each_group_has_a_mean(outcome):
    names = ["phantoms", "phantoms, diameter x 0.1", "rubisco-few", "p97-few"]
    names += ["few, mean of 2 molecules", "nothing"]
    met = [(row["data"], row["model"]) for row in outcome["rows"]]
    assert met == [(data, model) for data in names for model in ("small", "log")]
    counts = {row["data"]: row["micrographs"] for row in outcome["rows"]}
    assert counts == MICROGRAPHS | {"few, mean of 2 molecules": 2}


def test_a_failing_pair_is_a_row_with_a_reason_and_the_rest_goes_on(compared, outcome):
    assert compared[1].exit_code == 3
    assert "Traceback" not in compared[1].stderr
    (failed,) = (row for row in outcome["rows"] if row["failure"])
    assert (failed["data"], failed["model"], failed["seeds"]) == ("phantoms, diameter x 0.1", "small", 0)
    assert "seed-0" in failed["failure"]
    assert "enlarged" in failed["failure"]
    assert failed["mean"] == {}
    assert all(row["mean"] for row in outcome["rows"] if row is not failed)


def test_seeds_are_averaged_with_their_spread(outcome):
    (row,) = rows(outcome, data="phantoms", model="small")
    own = [
        record for record in outcome["results"] if (record["data"], record["model"]) == ("phantoms", "small")
    ]
    f1 = [record["measures"]["f1"] for record in own]
    assert len(set(f1)) == row["seeds"] == 2
    assert row["mean"]["f1"] == pytest.approx(statistics.mean(f1))
    assert row["spread"]["f1"] == pytest.approx(statistics.stdev(f1))
    assert rows(outcome, data="phantoms", model="log")[0]["spread"] == {}


def test_a_group_of_molecules_has_their_mean(outcome):
    (mean,) = rows(outcome, data="few, mean of 2 molecules", model="log")
    each = [rows(outcome, data=f"{name}-few", model="log")[0] for name in ("rubisco", "p97")]
    for name in ("precision", "recall", "f1", "auprc"):
        assert mean["mean"][name] == pytest.approx(statistics.mean(row["mean"][name] for row in each))


def test_what_a_model_was_trained_on_is_marked(outcome):
    marked = {(row["data"], row["overlap"]) for row in rows(outcome, model="small") if row["overlap"]}
    assert marked == {
        ("phantoms", "this data set"),
        ("phantoms, diameter x 0.1", "this data set"),
        ("rubisco-few", "its molecule (rubisco)"),
        ("few, mean of 2 molecules", "its molecule (rubisco)"),
    }
    assert not any(row["overlap"] for row in rows(outcome, model="log"))


@pytest.mark.parametrize("model", ["log", "seed-0"])
def test_the_numbers_are_those_of_run_and_evaluate(suite_file, outcome, tmp_path, model):
    settings = yaml.safe_load(suite_file.read_text())
    record, seeds = settings["data"][0], settings["models"][0]["seeds"]
    weights = seeds[0] if model == "seed-0" else model
    run = ["run", *record["micrographs"], "--diameter", 150, "--model", weights, "--out", tmp_path / "run"]
    assert call(*run, *ALONE).exit_code == 0
    scored = call("evaluate", tmp_path / "run", "--truth", record["labels"], "--json")
    pooled = json.loads(scored.stdout)["pooled"]
    (found,) = (x for x in outcome["results"] if (x["data"], x["seed"]) == ("phantoms", weights))
    names = ("precision", "recall", "f1", "best_f1", "best_threshold", "auprc")
    assert {name: found["measures"][name] for name in names} == {name: pooled[name] for name in names}
    assert found["measures"]["seconds"] > 0


def test_every_pick_in_micrographs_without_particles_is_false(compared, outcome, tmp_path):
    micrographs = compared[0] / "simulated" / "rubisco-nothing" / "micrographs"
    diameter_A = read_yaml(micrographs.parent / "simulation.yaml")["pixel_size_A"] * 24
    run = [
        "run",
        micrographs,
        "--diameter",
        diameter_A,
        "--model",
        "log",
        "--out",
        tmp_path / "run",
        "--json",
    ]
    picked = json.loads(call(*run, *ALONE).stdout)["picked"]
    (row,) = rows(outcome, data="nothing", model="log")
    assert row["mean"]["false_mean"] == picked / 2
    assert row["mean"]["false_most"] >= picked / 2
    assert "f1" not in row["mean"]


def test_the_folder_holds_the_table_for_people_and_for_programs(compared, outcome):
    out = compared[0]
    assert json.loads((out / "suite.json").read_text()) == outcome
    lines = (out / "suite.md").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("| phantoms | small |"))
    (row,) = rows(outcome, data="phantoms", model="small")
    assert f"| {row['mean']['f1']:.3f} ± {row['spread']['f1']:.3f} |" in line
    assert sum(line.startswith("| nothing |") for line in lines) == 2


def test_finished_work_is_not_done_again(compared, outcome, suite_file):
    out = compared[0]
    before = work(out)
    refused = call("evaluate", "--suite", suite_file, "--out", out, *ALONE)
    assert (refused.exit_code, "--resume" in refused.stderr) == (2, True)
    again = call("evaluate", "--suite", suite_file, "--out", out, "--resume", *ALONE, "--json")
    assert json.loads(again.stdout) == outcome
    assert work(out) == before


def test_models_may_be_chosen_and_data_sets_may_not_change(compared, suite_file, tmp_path):
    resume = ["--out", compared[0], "--resume", *ALONE]
    chosen = call("evaluate", "--suite", suite_file, "--model", "log", *resume)
    assert chosen.exit_code == 0, chosen.output
    assert "small" not in chosen.stdout
    assert "phantoms" in chosen.stdout
    data = yaml.safe_load(suite_file.read_text())
    data["data"][0] |= {"diameter_A": 140, "radius_A": 70}
    changed = call("evaluate", "--suite", written(tmp_path / "suite.yaml", data), *resume)
    assert changed.exit_code == 2
    assert "phantoms.diameter_A: 150.0 -> 140.0" in changed.stderr
    assert "radius" not in changed.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"models": ["no-such-model"]}, "no-such-model"),
        ({"simulated": [{"molecules": ["unobtainium"]}]}, "unobtainium"),
        ({"data": [{"name": "a", "micrographs": ["nowhere"], "labels": ".", "diameter_A": 9}]}, "a: INPUT"),
        ({"empty": [{"name": "a", "micrographs": ["."], "labels": ".", "diameter_A": 9}]}, "labels is not"),
    ],
)
def test_what_cannot_be_used_stops_the_suite_before_anything_is_picked(
    tmp_path, monkeypatch, suite_file, change, said
):
    monkeypatch.chdir(tmp_path)
    data = {"models": ["log"], "empty": yaml.safe_load(suite_file.read_text())["empty"]} | change
    done = call("evaluate", "--suite", written(Path("suite.yaml"), data), "--out", "out", *ALONE)
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
    assert not Path("out/picks").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--truth"),
        (["picks"], "--truth"),
        (["picks", "--truth", "t", "--out", "o"], "--suite"),
        (["--suite", "s"], "--out"),
        (["picks", "--suite", "s", "--out", "o"], "PICKS"),
    ],
)
def test_the_two_ways_to_evaluate_are_told_apart(arguments, said):
    done = call("evaluate", *arguments)
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("name", ["10_suite.yaml", "15_comparison.yaml"])
def test_an_example_is_a_suite_of_data_that_is_there(real_data, name):
    settings = suite_settings(read_yaml(EXAMPLES / name))
    for item in filter(lambda item: isinstance(item, MicrographSet), settings.sets()):
        assert all((real_data / place).exists() for place in item.micrographs)
    assert "log" in [group.name for group in settings.models]


def test_the_comparison_has_all_networks_and_what_they_are_compared_with():
    settings = suite_settings(read_yaml(EXAMPLES / "15_comparison.yaml"))
    seeds = {seed for group in settings.models for seed in group.seeds}
    assert {f"{network}-general" for network in LEARNING if network != "filament"} | {
        "log",
        "template",
        "topaz:resnet8_u64",
    } <= seeds
    assert all(item.molecule for item in settings.sets() if isinstance(item, MicrographSet))
