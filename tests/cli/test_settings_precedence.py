"""Which of several values of a setting holds: given here, in a file, kept by a run, or the default."""

import itertools
from pathlib import Path

import pytest
import typer.main
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.main import app
from cryopick_ray.picks.estimated_diameter import EstimatedDiameter
from cryopick_ray.runs.api import settings_for
from cryopick_ray.runs.pipeline import RunPlan, plan_again, with_diameter
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.settings.config import assigned, load_settings, merged, rooted
from cryopick_ray.settings.engine_settings import EngineSettings

BASE = {"inputs": ["/data"], "diameter_A": 100.0, "relion_project": "/"}
VALUES = {
    "particle_px": [None, 12.0, 24.0],
    "invert": ["auto", "yes", "no"],
    "exact": [False, True],
    "limit": [None, 3, 7],
    "exclude": [[], ["bad*"], ["a", "b"]],
    "threads": [1, 2],
    "pictures": [True, False],
    "optics.voltage_kV": [None, 300.0, 200.0],
    "optics.amplitude_contrast": [0.1, 0.07],
    "movies.binning": [1.0, 2.0],
    "movies.align": [True, False],
    "selection.edge_A": [40.0, 50.0],
    "selection.curation": [[], ["/decisions.csv"]],
}
"""Values of some settings; the first of most is the default, which is a value like any other once given."""
CHOSEN = st.fixed_dictionaries({}, optional={name: st.sampled_from(some) for name, some in VALUES.items()})
CUT = {"threshold": 0.5, "precision": 0.9, "expect": 250.0}


def plain(chosen):
    data = {}
    for name, value in chosen.items():
        for part in reversed(name.split(".")):
            value = {part: value}
        data = merged(data, value)
    return data


def run_folder(path, kept):
    folder = RunFolder(path)
    folder.path.mkdir()
    folder.config.write_text(yaml.safe_dump(kept))
    return folder


def silent(text):
    del text


@given(CHOSEN, CHOSEN)
def test_what_is_given_holds_over_what_a_run_keeps_and_that_over_the_defaults(tmp_path_factory, kept, given):
    folder = run_folder(tmp_path_factory.mktemp("kept") / "run", BASE | plain(kept))
    found = settings_for(folder, plain(given), config=None, resume=True, say=silent)
    assert found == load_settings(BASE | plain(kept | given))


@given(CHOSEN, CHOSEN, CHOSEN, st.booleans())
def test_a_file_that_is_named_takes_the_place_of_what_a_run_keeps(
    tmp_path_factory, kept, in_file, given, resume
):
    folder = run_folder(tmp_path_factory.mktemp("kept") / "run", BASE | plain(kept))
    file = folder.path / "named.yaml"
    file.write_text(yaml.safe_dump(BASE | plain(in_file)))
    found = settings_for(folder, plain(given), config=file, resume=resume, say=silent)
    assert found == load_settings(BASE | plain(in_file | given))


@pytest.mark.parametrize(("kept", "given"), list(itertools.product([None, *CUT], repeat=2)))
def test_a_way_to_cut_takes_the_place_of_another_and_stays_where_none_is_given(tmp_path, kept, given):
    folder = run_folder(tmp_path / "run", BASE | ({kept: CUT[kept]} if kept else {}))
    asked = {given: CUT[given]} if given else {}
    found = settings_for(folder, asked, config=None, resume=True, say=silent)
    holds = given or kept
    assert found == load_settings(BASE | ({holds: CUT[holds]} if holds else {}))


def test_a_way_to_cut_is_taken_back_by_the_default_of_another(tmp_path):
    folder = run_folder(tmp_path / "run", BASE | {"expect": 250.0})
    found = settings_for(folder, {"threshold": "auto"}, config=None, resume=True, say=silent)
    assert found == load_settings(BASE)


@pytest.mark.parametrize(
    ("in_file", "given", "resume", "holds"),
    [
        (None, None, True, 100.0),
        (120.0, None, True, 120.0),
        (None, 130.0, True, 130.0),
        (120.0, 130.0, True, 130.0),
        (None, None, False, None),
    ],
)
def test_a_diameter_found_once_stays_unless_another_is_said(tmp_path, in_file, given, resume, holds):
    folder = run_folder(tmp_path / "run", BASE)
    file = tmp_path / "named.yaml"
    file.write_text(yaml.safe_dump(BASE | {"diameter_A": in_file}))
    asked = {} if given is None else {"diameter_A": given}
    assert settings_for(folder, asked, config=file, resume=resume, say=silent).diameter_A == holds


def test_a_name_of_earlier_versions_means_the_same_when_it_is_given(tmp_path):
    folder = run_folder(tmp_path / "run", BASE | {"dtype": "bfloat16"})
    found = settings_for(folder, {"precision": "float32"}, config=None, resume=True, say=silent)
    assert (found.dtype, found.precision) == ("float32", None)


def test_a_name_of_today_holds_over_one_of_earlier_versions():
    assert load_settings(BASE | {"precision": "float32", "dtype": "bfloat16"}).dtype == "bfloat16"
    old = {"pattern": "today*", "archive": {"pattern": "earlier*"}}
    assert load_settings(BASE | old).pattern == "today*"


@given(CHOSEN, CHOSEN)
def test_a_run_that_goes_on_keeps_the_settings_that_it_goes_on_with(tmp_path_factory, before, after):
    free = {"limit", "exclude", "pictures", "optics.amplitude_contrast"}
    before, after = (
        load_settings(BASE | plain({name: value for name, value in chosen.items() if name in free}))
        for chosen in (before, after)
    )
    folder = RunFolder(tmp_path_factory.mktemp("claimed") / "run")
    for claimed in (before, after):
        with folder.claim(claimed, resume=claimed is after):
            assert folder.settings() == claimed
    assert folder.settings() == after


@given(CHOSEN)
def test_paths_are_made_whole_and_nothing_else_is_touched(chosen):
    settings = load_settings(BASE | plain(chosen))
    assert rooted(settings) == settings


def test_every_path_of_a_run_means_the_same_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {
        "inputs": ["in", "b/*.mrc", "s3://bucket/x"],
        "masks": "m",
        "relion_project": "p",
        "movies": {"gain": "g.mrc", "defects": "d.txt", "binning": 2.0},
        "selection": {"curation": ["c.csv"], "classes": ["k.csv"], "edge_A": 40.0},
        "threads": 2,
    }
    whole = {
        "inputs": [str(tmp_path / "in"), str(tmp_path / "b/*.mrc"), "s3://bucket/x"],
        "masks": tmp_path / "m",
        "relion_project": tmp_path / "p",
        "movies": {"gain": tmp_path / "g.mrc", "defects": tmp_path / "d.txt", "binning": 2.0},
        "selection": {"curation": [tmp_path / "c.csv"], "classes": [tmp_path / "k.csv"], "edge_A": 40.0},
        "threads": 2,
    }
    assert rooted(load_settings(BASE | files)) == load_settings(BASE | whole)


@given(CHOSEN)
def test_a_diameter_that_is_found_changes_no_other_setting(chosen):
    settings = load_settings(BASE | {"diameter_A": None} | plain(chosen))
    engine = EngineSettings(engine="serial", device="cpu")
    planned = with_diameter(
        RunPlan(settings, engine, (), (), 16.0), EstimatedDiameter(123.0, (), (), 0, (), "log")
    )
    assert planned.settings == settings.model_copy(update={"diameter_A": 123.0})
    assert (planned.engine, planned.particle_px, planned.pixel_size_A) == (engine, 16.0, 123.0 / 16)


def test_a_run_on_what_is_stored_is_asked_for_with_its_own_settings():
    settings = load_settings(BASE | {"model": "log", "particle_px": 24.0, "limit": 3})
    engine = EngineSettings(engine="serial")
    assert (planned := plan_again(settings, engine)).settings == settings
    assert (planned.engine, planned.particle_px) == (engine, 24.0)


def told(*arguments):
    """Plain settings that a command line gives."""
    run = typer.main.get_command(app).commands["run"]
    return run.arguments(run.make_context("run", ["--out", "o", *arguments]).params)["settings"]


SAID = {
    "--limit=3": ("limit", 3),
    "--set=limit=7": ("limit", 7),
    "--voltage-kv=200": ("optics.voltage_kV", 200.0),
    "--set=optics.amplitude_contrast=0.07": ("optics.amplitude_contrast", 0.07),
    "--binning=2": ("movies.binning", 2.0),
    "--set=movies.align=false": ("movies.align", False),
    "--no-pictures": ("pictures", False),
}


@settings(max_examples=40)  # each reads a whole command line
@given(st.permutations(list(SAID)), st.integers(0, len(SAID)))
def test_set_holds_over_an_option_and_neither_hides_another_setting_whatever_their_order(arguments, count):
    said = arguments[:count]
    expected = {}
    for argument in sorted(said, key=lambda argument: argument.startswith("--set")):
        name, value = SAID[argument]
        expected[name] = value
    assert load_settings(merged(BASE, told(*said))) == load_settings(merged(BASE, plain(expected)))


@settings(max_examples=20)
@given(st.lists(st.sampled_from([("--set=movies.binning", 2), ("--movie-set=binning", 3)]), min_size=1))
def test_of_one_setting_said_twice_the_last_holds(said):
    arguments = []
    for number, (name, _) in enumerate(said, 1):
        option, _, setting = name[2:].partition("=")
        arguments += [f"--{option}", f"{setting}={number}"]
    assert told(*arguments) == {"movies": {"binning": len(said)}}
    assert told("--limit", "3", "--limit", "7") == {"limit": 7}


@pytest.mark.parametrize(
    ("arguments", "data"),
    [
        (["--no-pictures"], {"pictures": False}),
        (["--pictures"], {"pictures": True}),
        (["--set=limit=null"], {"limit": None}),
        (["--set=exclude=[]"], {"exclude": []}),
        (["--expect", "0"], {"expect": 0}),
        ([], {}),
    ],
)
def test_an_option_that_is_not_given_says_nothing_and_one_that_is_says_even_no(arguments, data):
    assert told(*arguments) == data


def test_setting_a_value_leaves_the_data_that_it_is_set_in():
    data = {"optics": {"voltage_kV": 300.0}, "data": [{"labels_used": 5}]}
    found = assigned(data, ["optics.voltage_kV=200", "data.0.labels_used=9", "optics.voltage_kV=100"])
    assert found == {"optics": {"voltage_kV": 100}, "data": [{"labels_used": 9}]}
    assert data == {"optics": {"voltage_kV": 300.0}, "data": [{"labels_used": 5}]}


def test_a_value_of_a_group_leaves_the_others_of_the_group():
    base = {"a": {"b": {"c": 1, "d": 2}, "e": 3}, "f": 4}
    assert merged(base, {"a": {"b": {"c": 9}}}) == {"a": {"b": {"c": 9, "d": 2}, "e": 3}, "f": 4}
    assert merged(base, {"a": None, "f": {"g": 5}}) == {"a": None, "f": {"g": 5}}
    assert Path("/") == load_settings(BASE).project
