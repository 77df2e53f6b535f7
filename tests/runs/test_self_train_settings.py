"""The settings by which a run teaches its model: scales, options, presets, and models that cannot learn."""

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from manifest_row import manifest_row
from scored_picks import picks

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.pickers.catalogue import read_card
from cryopick_ray.pickers.heatmap.networks import HeatmapNetwork
from cryopick_ray.pickers.weights import ModelCard, load_model, save_model, weights_digest
from cryopick_ray.picks.reasons import Reason
from cryopick_ray.picks.table import PickTable
from cryopick_ray.picks.write_table import write_table
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.runs.self_training.self_train_settings import SELF, self_train_settings
from cryopick_ray.runs.self_training.target_run import target_run
from cryopick_ray.settings.config import load_settings, to_yaml
from cryopick_ray.store.manifest import publish_part
from cryopick_ray.store.store import MicrographStore


def run_of(model, **changes):
    return load_settings({"inputs": ["x"], "diameter_A": 60, "model": str(model)} | changes)


@pytest.fixture
def model(tmp_path):
    """A heatmap's fresh weights, made for 20 pixels a diameter."""
    path, state = tmp_path / "mine.safetensors", HeatmapNetwork("heatmap", base=2).state_dict()
    card = ModelCard(
        name="mine",
        architecture="heatmap",
        parameters={"base": 2},
        particle_px=20,
        normalisation="heatmap",
        trained_on="nothing",
        licence="none",
        source="a test",
        date=date(2024, 1, 1),
        digest=weights_digest(state),
    )
    save_model(path, state, card)
    return path


def settings_of(run, *assignments, finest_px=math.inf, **given):
    return self_train_settings(run, given, assignments, finest_px=finest_px)


def test_a_model_learns_at_the_scale_that_its_run_picked_at(model):
    settings, (_, card) = settings_of(run_of(model), "epochs=3")
    assert (settings.network, settings.name, settings.epochs) == ("heatmap", "mine-self-trained", 3)
    assert (settings.share, settings.top, settings.teacher) == (0.85, 10_000, DEFAULT_MODEL)
    assert settings.options == {"particle_px": card.particle_px} == {"particle_px": 20}
    settings, _ = settings_of(run_of(model, particle_px=31), "options.crop_px=96")
    assert settings.options == {"particle_px": 31, "crop_px": 96}
    assert (
        settings_of(run_of(model, particle_px=31), "options.particle_px=31")[0].options["particle_px"] == 31
    )
    for run in (run_of(model), run_of(model, particle_px=31)):
        with pytest.raises(
            UsageError, match=r"options\.particle_px is 24.*the run picked with (20|31) pixels"
        ):
            settings_of(run, "options.particle_px=24")


def test_a_shipped_model_learns_under_its_name_from_itself():
    settings, (_, card) = settings_of(run_of(DEFAULT_MODEL))
    assert (settings.name, card.name) == (f"{DEFAULT_MODEL}-self-trained", DEFAULT_MODEL)
    assert (settings.options, settings.teacher) == ({"particle_px": card.particle_px}, SELF)


def test_what_a_person_says_goes_over_what_is_usual(model):
    settings, _ = settings_of(run_of(model), "rounds=5", "share=0.4", teacher="self", rounds=2)
    assert (settings.teacher, settings.rounds, settings.share) == ("self", 5, 0.4)
    assert settings_of(run_of(model), teacher="log")[0].teacher == "log"
    with pytest.raises(UsageError, match="there is no model 'nobody'"):
        settings_of(run_of(model), teacher="nobody")


@pytest.mark.parametrize("share", [float("nan"), 0, 1.5])
def test_a_wrong_share_is_refused(model, share):
    with pytest.raises(UsageError, match="`share` is"):
        settings_of(run_of(model), share=share)


@pytest.mark.parametrize(("finest_px", "scales"), [(math.inf, (0.5, 2)), (30, (2 / 3, 1.5)), (20.1, (1, 1))])
def test_a_student_learns_by_the_options_and_scales_of_its_card(model, finest_px, scales):
    """Scales as far as the store has the pixels, and even."""
    state, card = load_model(model)
    own = {"options": {"scale_jitter": 1.3, "batch": 5, "long_gone": 7}, "scales": (0.5, 2)}
    save_model(model, state, card.model_copy(update=own))
    settings, _ = settings_of(run_of(model), finest_px=finest_px)
    assert settings.options == {"particle_px": 20, "scale_jitter": 1.3}
    assert (settings.batch, settings.learning_rate) == (5, None)
    assert settings.scales == pytest.approx(scales)
    assert settings_of(run_of(model), "scales=1,1", "options.scale_jitter=1")[0].scales == (1, 1)


def test_a_preset_is_what_the_paper_says_and_of_its_network(model):
    settings, _ = settings_of(run_of("deeppicker-general"), preset="deeppicker")
    assert (settings.teacher, settings.lowest, settings.top, settings.rounds) == (SELF, 0.5, 10_000, 1)
    assert (settings.simulated_share, settings.recentred, settings.fresh) == (0, False, False)
    settings, _ = settings_of(run_of("deepem-general"), preset="deepem", teacher=DEFAULT_MODEL)
    assert (settings.teacher, settings.fresh, settings.false_picks) == (DEFAULT_MODEL, True, True)
    card = read_card("deepem-general")
    assert settings.options == {"particle_px": card.particle_px, **card.parameters}
    with pytest.raises(UsageError, match=r"`preset` is deepem, and the run's model .* is of heatmap"):
        settings_of(run_of(model), preset="deepem")
    with pytest.raises(UsageError, match="`preset` is 'topaz'"):
        settings_of(run_of(model), preset="topaz")


def test_a_picker_without_a_network_cannot_learn():
    with pytest.raises(ModelError, match=r"log has no network that can learn; .*heatmap"):
        settings_of(run_of("log"))


@pytest.mark.parametrize("name", ["topaz", "nowhere.safetensors"])
def test_a_model_that_is_gone_is_said_to_be(name):
    with pytest.raises(ModelError, match=rf"model {name} is gone; put the file back"):
        settings_of(run_of(name))


def test_micrographs_that_are_excluded_teach_nothing(tmp_path, model):
    run = RunFolder(tmp_path / "run")
    ids = [f"{number}.mrc" for number in range(6)]
    rows = [manifest_row(name, "complete") for name in ids]
    publish_part(MicrographStore(run.store, create=True).place, rows)
    (run.path / "config.yaml").write_text(to_yaml(run_of(model)))
    table = [picks(name, [0.9, 0.8, 0.7]) for name in ids]
    table[1] = replace(picks(ids[1], []), micrograph=replace(table[1].micrograph, excluded=True))
    table[4] = table[4].marked(Reason.EXCLUDED_MICROGRAPH, np.ones(3, bool))
    write_table(table, tmp_path / "table")
    target = target_run(run, {"teacher": "self"}, [])
    sample = target.sample(PickTable(tmp_path / "table"))
    split = target.split(sample, None)
    learned = {row.row.micrograph_id for row in split.training + split.validation}
    assert learned == {*ids} - {ids[1], ids[4]}
