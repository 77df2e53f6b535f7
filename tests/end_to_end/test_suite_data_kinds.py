"""Suites of data in parts, with noise, of other annotators, unlabelled, and against templates."""

import json

import pytest
from suite_commands import ALONE, SMALL, call, rows, work, written


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


def test_filaments_are_for_models_of_filaments_and_scored_by_length(tmp_path):
    group = {"name": "tubes", "molecules": ["tmv-like", "actin-myosin"], "micrographs": 1, "seed": 1700}
    group |= {"particle_px": 14.5, "settings": {"height_px": 512, "width_px": 512}}
    suite = {"models": ["heatmap-filament", "log"], "simulated": [group]}
    file = written(tmp_path / "suite.yaml", suite)
    done = call("evaluate", "--suite", file, "--out", tmp_path / "out", *ALONE, "--json")
    assert done.exit_code == 0, done.output
    assert "log: no data set is of what it finds; it is left out" in done.stderr
    lines = json.loads(done.stdout)["rows"]
    assert [(line["data"], line["model"], line["of_filaments"]) for line in lines] == [
        ("tmv-like-tubes", "heatmap-filament", True),
        ("actin-myosin-tubes", "heatmap-filament", True),
        ("tubes, mean of 2 molecules", "heatmap-filament", True),
    ]
    first, second, mean = (line["mean"] for line in lines)
    assert min(first["f1"], second["f1"]) > 0.8
    assert mean["false_joins"] == (first["false_joins"] + second["false_joins"]) / 2
    page = (tmp_path / "out" / "suite.html").read_text()
    assert "false joins" in page
    assert "picks a particle" not in page.partition("<table")[2]
