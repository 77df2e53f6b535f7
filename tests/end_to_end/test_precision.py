"""Which arithmetic a run uses, and that it stays with it."""

import json

import pandas as pd
import pytest
import torch
from micrograph_files import phantom, write_mrc

from cryopick_ray.pickers.topaz.networks import TopazNetwork
from cryopick_ray.pickers.weights import ModelCard, save_model, weights_digest

SERIAL = ["--engine", "serial"]


@pytest.fixture
def options(tmp_path):
    """A folder with two micrographs, and the options that a network picks them with."""
    torch.manual_seed(0)
    state = TopazNetwork("topaz-resnet8", 2).state_dict()
    card = ModelCard(
        name="tiny",
        architecture="topaz-resnet8",
        parameters={"units": 2},
        particle_px=20.0,
        normalisation="topaz-gmm",
        trained_on="nothing",
        licence="CC0-1.0",
        source="a test",
        digest=weights_digest(state),
    )
    save_model(tmp_path / "tiny.safetensors", state, card)
    (tmp_path / "in").mkdir()
    for seed in range(2):
        write_mrc(tmp_path / "in" / f"{seed}.mrc", phantom(seed).pixels)
    model = ["--model", tmp_path / "tiny.safetensors", "--diameter", 150, "--pixel-size", 3]
    return [tmp_path / "in", *model, *SERIAL]


def settings_of(run):
    return [json.loads(path.read_text())["picker"] for path in run.glob("picks/*/settings.json")]


def test_a_run_goes_on_in_the_precision_that_it_began_with(options, tmp_path, cryopick):
    for precision in ("float32", "bfloat16"):  # one of them is not what this machine would choose
        run = tmp_path / precision
        assert cryopick("run", *options, "--out", run, "--dtype", precision, "--limit", 1)[0] == 0
        config = (run / "config.yaml").read_text()
        (run / "config.yaml").write_text(config.replace(f"dtype: {precision}", "dtype: auto"))
        status, _, notes = cryopick("run", "--out", run, "--resume", "--limit", 2, *SERIAL)
        assert status == 0
        assert f"networks answer in {precision}" in notes
        assert [(record["scoring"], record["precision"]) for record in settings_of(run)] == [
            ("fast", precision)
        ]
        assert len(list(run.glob("picks/*/*.parquet"))) == 2  # the first one's was kept


def test_exact_answers_are_float32_and_may_be_given_up_again(options, tmp_path, cryopick):
    assert cryopick("run", *options, "--out", tmp_path / "exact", "--exact")[0] == 0
    again = [
        "--config",
        tmp_path / "exact" / "config.yaml",
        "--no-exact",
        "--out",
        tmp_path / "fast",
        *SERIAL,
    ]
    assert cryopick("run", *again)[0] == 0
    (exact,), (fast,) = settings_of(tmp_path / "exact"), settings_of(tmp_path / "fast")
    assert (exact["scoring"], exact["precision"], exact["step_px"]) == ("exact", "float32", 1)
    assert (fast["scoring"], fast["step_px"]) == ("fast", 2)
    counts = [len(pd.read_parquet(tmp_path / name / "table")) for name in ("exact", "fast")]
    assert counts[0] > counts[1] > 0  # a coarser grid has fewer shallow peaks


def test_exact_answers_in_bfloat16_are_refused_before_anything_is_written(options, tmp_path, cryopick):
    status, _, errors = cryopick("run", *options, "--out", tmp_path / "run", "--exact", "--dtype", "bfloat16")
    assert (status, "--exact answers take float32" in errors) == (2, True)
    assert not (tmp_path / "run").exists()
