"""A person's marks teach a run's model: through the real command, a real teaching of seconds."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import starfile
from scipy.spatial import cKDTree
from small_learning import ALONE, PARTICLE_PX

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.engine.events import Silence
from cryopick_ray.passes.decision_files import text_of
from cryopick_ray.passes.decisions import Decision
from cryopick_ray.pickers.catalogue import load_picker
from cryopick_ray.pickers.weights import load_model
from cryopick_ray.picks.table import PickTable
from cryopick_ray.runs import teach as module
from cryopick_ray.runs import teaching as module_of_settings
from cryopick_ray.runs.learning import TeachingSettings
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.runs.teach_doubts import doubts_of
from cryopick_ray.runs.teaching import TeachSettings
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.training.data.examples import LabelledRow
from cryopick_ray.training.data.labelled import nowhere
from cryopick_ray.training.recipes.marks import MarksRecipe

HERE = TeachingSettings(engine="serial", threads=1, device="cpu")
FEW_STEPS = 8


def truth_of(phantoms, name):
    star = phantoms / "truth" / "square0" / f"{Path(name).stem}.star"
    return starfile.read(star).to_numpy(np.float64)[:, :2]


@pytest.fixture(scope="module")
def marked(first, phantoms, tmp_path_factory):
    """Decisions about two micrographs of the run: half of the truth is added, and what is none removed."""
    rows = []
    table = PickTable(first / "table")
    names = [micrograph.micrograph_id for micrograph in table.micrographs][:2]
    for name, picks in table.of(names).items():
        truth = truth_of(phantoms, name)
        places = np.column_stack([picks.x_px, picks.y_px]).astype(float)
        away = cKDTree(truth).query(places)[0]
        wrong = places[away > 20][:5]
        rows += [Decision(name, "add", *place) for place in truth[:4].tolist()]
        rows += [Decision(name, "remove", *place) for place in wrong.tolist()]
    path = tmp_path_factory.mktemp("marks") / "curation"
    path.mkdir()
    (path / "me.csv").write_text(
        text_of(replace(row, by="me", at="2026-11-30T10:00:00.000Z") for row in rows)
    )
    return path, names


def teach(first, out, curation, **settings):
    asked = TeachSettings(curation=(curation,), steps=FEW_STEPS, **settings)
    return module.teach(first, out, asked, HERE, Silence())


@pytest.fixture(scope="module")
def taught(first, marked, tmp_path_factory):
    out = tmp_path_factory.mktemp("taught") / "out"
    return out, teach(first, out, marked[0])


def test_the_model_that_is_kept_picks_all_as_it_was_shown(first, phantoms, taught, cryopick, tmp_path):
    out, told = taught
    _, card = load_model(out / "model.safetensors")
    _, before = load_model(Path(RunFolder(first).settings().model))
    assert (card.particle_px, card.threshold) == (PARTICLE_PX, told.threshold)
    assert f"cryopick teach from {before.name}: {told.kept}, seed 0" in card.source
    if told.kept == "taught":
        assert (card.trained_on.particles, card.trained_on.micrographs) == (8, 2)
        assert card.trained_on.before == before.trained_on
    else:
        assert (card.digest, card.trained_on) == (before.digest, before.trained_on)
    inputs = [phantoms / "micrographs" / "square0", "--diameter", 150, "--threads", 1, "--engine", "serial"]
    model = ["--model", out / "model.safetensors"]
    status, _, errors = cryopick("run", *inputs, *model, "--out", tmp_path / "all")
    assert status == 0, errors
    shown = [one.micrograph_id for one in told.shown]
    run, seen = (PickTable(where / "table").of(shown) for where in (tmp_path / "all", out))
    for one in told.shown:
        own, other = run[one.micrograph_id], seen[one.micrograph_id]
        assert one.after == own.picked.sum() == other.picked.sum()
        np.testing.assert_array_equal(own.score, other.score)
        np.testing.assert_array_equal(own.x_px, other.x_px)


def test_equal_seeds_give_equal_teachings_whoever_runs_them(first, marked, taught, tmp_path):
    """The folder of decisions or its file, and any order of its rows of one call: nothing else counts."""
    again = teach(first, tmp_path / "again", marked[0] / "me.csv")
    told = taught[1]
    same = {"model": "", "table": "", "seconds": {}}
    assert replace(again, **same) == replace(told, **same)
    first_bytes, second_bytes = (
        (out / "model.safetensors").read_bytes() for out in (taught[0], tmp_path / "again")
    )
    assert first_bytes == second_bytes


def test_what_was_told_is_kept_and_the_run_is_as_it_was(first, taught):
    out, told = taught
    kept = json.loads((out / "teach.json").read_text())
    assert kept == json.loads(json.dumps(told.to_dict()))
    assert (kept["particles"], kept["micrographs"]) == (8, 2)
    assert not (first / "teach.json").exists()
    assert [micrograph.micrograph_id for micrograph in PickTable(out / "table").micrographs] == [
        one["micrograph_id"] for one in kept["shown"]
    ]


def test_other_micrographs_are_shown_through_the_command(first, marked, cryopick, tmp_path, monkeypatch):
    monkeypatch.setattr(module_of_settings.TeachSettings.model_fields["steps"], "default", FEW_STEPS)
    module_of_settings.TeachSettings.model_rebuild(force=True)
    other = [micrograph.micrograph_id for micrograph in PickTable(first / "table").micrographs][4]
    out = tmp_path / "out"
    status, said, errors = cryopick(
        "teach", first, "--curation", marked[0], "--micrographs", other, "--out", out, *ALONE, "--json"
    )
    assert status == 0, errors
    assert [one["micrograph_id"] for one in json.loads(said)["shown"]] == [other]
    assert "learning from half of the marks" in errors
    status, _, errors = cryopick("teach", first, "--curation", marked[0], "--out", out, *ALONE)
    assert (status, "is there and not empty; choose another --out" in errors) == (2, True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["--micrographs", "nowhere.mrc"], "--micrographs nowhere.mrc: the run has no such micrograph"),
        (["--curation", "FEW"], "marks 1 particles, too few to learn from"),
        (["--curation", "NONE"], "--curation"),
    ],
)
def test_what_cannot_be_taught_is_refused_before_anything_is_made(
    first, marked, cryopick, tmp_path, changes, words
):
    few = tmp_path / "few.csv"
    few.write_text(text_of([Decision(marked[1][0], "add", 50.0, 50.0)]))
    given = ["--curation", marked[0]] if "--curation" not in changes else []
    changes = [{"FEW": few, "NONE": tmp_path / "none.csv"}.get(change, change) for change in changes]
    status, _, errors = cryopick("teach", first, *given, *changes, "--out", tmp_path / "out", *ALONE)
    assert status == 2
    assert words in errors
    assert not (tmp_path / "out").exists()


def test_a_run_without_a_network_that_learns_or_without_its_store_is_told(
    serial_run, first, marked, cryopick, tmp_path
):
    status, _, errors = cryopick(
        "teach", serial_run, "--curation", marked[0], "--out", tmp_path / "a", *ALONE
    )
    assert (status, "log" in errors) == (1, True)
    bare = tmp_path / "bare"
    shutil.copytree(first, bare, ignore=shutil.ignore_patterns("store.zarr"))
    status, _, errors = cryopick("teach", bare, "--curation", marked[0], "--out", tmp_path / "b", *ALONE)
    assert (status, "has no store of micrographs to learn from" in errors) == (2, True)


def test_a_wrong_diameter_or_polarity_is_told(first, phantoms, marked):
    """Marks on every particle, shown to the default model as a run of such settings would show them."""
    run, name = RunFolder(first), marked[1][0]
    row = read_manifest(MicrographStore(run.store).place)[name]
    truth = truth_of(phantoms, name).astype(np.float32)
    right = LabelledRow(run.store, row, "d", 150.0, 75.0, 1, truth, nowhere(), nowhere())
    picker = load_picker(DEFAULT_MODEL, particle_px=None, device="cpu", exact=True)
    teaching = MarksRecipe(base=24, particle_px=picker.particle_px)
    assert list(doubts_of(picker, teaching, [right])) == []
    (size,) = doubts_of(picker, teaching, [replace(right, diameter_A=100.0)])
    assert "times as large as the run's diameter of 100 A" in size
    assert 130 < float(re.search(r"`diameter_A` near (\d+)", size)[1]) < 175
    assert any("another `invert`" in one for one in doubts_of(picker, teaching, [replace(right, sign=-1)]))
