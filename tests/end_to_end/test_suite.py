"""Models against each other over data sets: through the real command."""

import json
import statistics
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.pickers.registry import LEARNING
from cryopick_ray.settings.config import read_yaml
from cryopick_ray.suite.sets import MicrographSet
from cryopick_ray.suite.suite_settings import suite_settings

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ALONE = ["--engine", "serial", "--device", "cpu"]
SMALL = {"height_px": 256, "width_px": 256, "scene": {"aggregates": 0}}
TRAINING = {"network": "heatmap", "options": {"base": 4, "crop_px": 64}, "steps": 25, "epochs": 3}
MICROGRAPHS = {"p97-few": 1, "rubisco-few": 1, "nothing": 2, "phantoms": 6, "phantoms, diameter x 0.1": 6}


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def written(path, data):
    path.write_text(yaml.safe_dump(data))
    return path


def work(out):
    """Return when each micrograph was simulated, stored and picked."""
    files = [
        *out.glob("simulated/*/micrographs/*"),
        *out.glob("stores/**/*"),
        *out.glob("picks/**/*.parquet"),
    ]
    return {path: path.stat().st_mtime_ns for path in files if path.is_file()}


@pytest.fixture(scope="session")
def suite_file(phantoms, tmp_path_factory):
    """Two seeds of a small model that knows phantoms and Rubisco; the blob detector; sets of all kinds."""
    folder = tmp_path_factory.mktemp("suite")
    few = {"name": "phantoms", "micrographs": [str(phantoms / "micrographs" / "square0")]}
    few |= {"labels": str(phantoms / "truth" / "square0"), "diameter_A": 150}
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


def rows(outcome, **wanted):
    return [row for row in outcome["rows"] if all(row[name] == value for name, value in wanted.items())]


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
    own = [one for one in outcome["results"] if (one["data"], one["model"]) == ("phantoms", "small")]
    f1 = [one["measures"]["f1"] for one in own]
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
    one, seeds = settings["data"][0], settings["models"][0]["seeds"]
    weights = seeds[0] if model == "seed-0" else model
    run = ["run", *one["micrographs"], "--diameter", 150, "--model", weights, "--out", tmp_path / "run"]
    assert call(*run, *ALONE).exit_code == 0
    scored = call("evaluate", tmp_path / "run", "--truth", one["labels"], "--json")
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


@pytest.fixture(scope="session")
def in_parts(phantoms, tmp_path_factory):
    """The blob detector on phantoms in parts, with noise, by another person, and unlabelled; its file."""
    folder = tmp_path_factory.mktemp("parts")
    micrographs = phantoms / "micrographs" / "square0"
    ids = sorted(path.name for path in micrographs.glob("*.mrc"))
    (folder / "defocus.csv").write_text("".join(f"{name},{i}\n" for i, name in enumerate(ids)))
    shared = {"micrographs": [str(micrographs)], "diameter_A": 150}
    truth = str(phantoms / "truth" / "square0")
    labelled = shared | {"name": "phantoms", "labels": truth, "labelled_by": "a picker", "noise": [3]}
    labelled |= {"annotators": {"the same": truth}}
    labelled |= {"bins": {"values": str(folder / "defocus.csv"), "name": "defocus", "edges": [1, 4]}}
    suite = {"models": ["log"], "data": [labelled], "unlabelled": [shared | {"name": "fields"}]}
    file = written(folder / "suite.yaml", suite)
    return file, call("evaluate", "--suite", file, "--out", folder / "out", *ALONE, "--json")


def test_parts_noise_another_person_and_unlabelled_fields_are_rows(in_parts):
    assert in_parts[1].exit_code == 0, in_parts[1].output
    lines = {(row["data"], row["model"]): row for row in json.loads(in_parts[1].stdout)["rows"]}
    parts = [f"phantoms, defocus {part}" for part in ("<= 1", "1-4", ">= 4")]
    assert [data for data, model in lines if model == "log"] == [
        *("phantoms", *parts, "phantoms, noise of 3 sd", "fields")
    ]
    same = lines["phantoms", "the same"]
    assert (same["mean"]["f1"], same["micrographs"], same["labels"]) == (1, 6, "a picker")
    whole, low, _, high = (lines[name, "log"] for name in ("phantoms", *parts))
    assert [lines[name, "log"]["micrographs"] for name in parts] == [2, 2, 2]
    assert whole["mean"]["recall_ratio"] == pytest.approx(low["mean"]["recall"] / high["mean"]["recall"])
    assert min(low["mean"]["recall"], high["mean"]["recall"]) <= whole["mean"]["recall"]
    assert lines["phantoms, noise of 3 sd", "log"]["mean"]["auprc"] < whole["mean"]["auprc"]
    assert lines["fields", "log"]["mean"]["false_mean"] > 0
    assert (lines["fields", "log"]["is_labelled"], lines["fields", "log"]["is_empty"]) == (False, False)


def test_noise_and_parts_are_gone_on_with(in_parts):
    file, first = in_parts
    before = work(file.parent / "out")
    again = call("evaluate", "--suite", file, "--out", file.parent / "out", "--resume", *ALONE, "--json")
    assert json.loads(again.stdout) == json.loads(first.stdout)
    assert work(file.parent / "out") == before


@pytest.fixture(scope="session")
def against_templates(tmp_path_factory):
    """Templates of each molecule beside the blob detector, and a model that one set alone is given."""
    folder = tmp_path_factory.mktemp("templates")
    some = {"micrographs": 1, "particle_px": 24, "settings": SMALL}
    again = {"name": "again", "seeds": ["log"], "after": "log", "only": ["rubisco"]}
    suite = {"models": ["log", "template", again]}
    suite |= {"simulated": [{"molecules": ["rubisco"], "seed": 5} | some]}
    suite |= {"empty": [{"name": "nothing", "molecules": ["rubisco"], "seed": 6} | some]}
    file = written(folder / "suite.yaml", suite)
    return file, call("evaluate", "--suite", file, "--out", folder / "out", *ALONE, "--json")


def test_templates_are_made_of_each_sets_molecule_and_models_keep_to_their_sets(against_templates):
    file, done = against_templates
    assert done.exit_code == 0, done.output
    outcome = json.loads(done.stdout)
    met = [(row["data"], row["model"]) for row in outcome["rows"]]
    assert met == [
        *(("rubisco", model) for model in ("log", "template", "again")),
        *(("nothing", model) for model in ("log", "template")),
    ]
    template, blob = (rows(outcome, data="rubisco", model=name)[0] for name in ("template", "log"))
    assert template["overlap"] == "its molecule (rubisco)"
    assert template["mean"]["best_f1"] > 0.6
    assert 0 < template["mean"]["centring_error"] < 0.15
    assert rows(outcome, data="rubisco", model="again")[0]["mean"] == blob["mean"]
    assert template["mean"]["picks_per_particle"] == pytest.approx(
        template["mean"]["recall"] / template["mean"]["precision"]
    )
    before = work(file.parent / "out")
    again = call("evaluate", "--suite", file, "--out", file.parent / "out", "--resume", *ALONE, "--json")
    assert json.loads(again.stdout) == outcome
    assert work(file.parent / "out") == before


def test_the_page_has_the_numbers_of_the_table(against_templates):
    out = against_templates[0].parent / "out"
    page, outcome = (out / "suite.html").read_text(), json.loads((out / "suite.json").read_text())
    for row in outcome["rows"]:
        for name in {"f1", "best_f1", "auprc"} & row["mean"].keys():
            assert f"{row['mean'][name]:.3f}" in page
    assert page.count('class="line c') >= 3
    assert "after log" in page
    assert "curve" not in outcome["results"][0]


def test_of_models_that_are_chosen_none_is_after_one_that_is_not(against_templates):
    file = against_templates[0]
    out = file.parent / "chosen"
    done = call("evaluate", "--suite", file, "--model", "again", "--out", out, *ALONE)
    assert done.exit_code == 0, done.output
    assert "after log" not in (out / "suite.html").read_text()


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
    for one in filter(lambda one: isinstance(one, MicrographSet), settings.sets()):
        assert all((real_data / place).exists() for place in one.micrographs)
    assert "log" in [group.name for group in settings.models]


def test_the_comparison_has_all_networks_and_what_they_are_compared_with():
    settings = suite_settings(read_yaml(EXAMPLES / "15_comparison.yaml"))
    seeds = {seed for group in settings.models for seed in group.seeds}
    assert {f"{network}-general" for network in LEARNING if network != "filament"} | {
        "log",
        "template",
        "topaz:resnet8_u64",
    } <= seeds
    assert all(one.molecule for one in settings.sets() if isinstance(one, MicrographSet))
