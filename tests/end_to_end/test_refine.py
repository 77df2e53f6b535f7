"""A run teaches its model: through the real command."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray
import yaml
from typer.testing import CliRunner

from cli.console import ConsoleEvents
from cli.main import app
from cryopick_ray.errors import PixelSizeError
from cryopick_ray.pickers.weights import load_model
from cryopick_ray.runs.folder import RunFolder
from cryopick_ray.runs.self_training import own_split, refine_settings
from cryopick_ray.training.loop import Epoch

ROOT = Path(__file__).resolve().parents[2]
ALONE = ["--engine", "serial", "--threads", 1]
SMALL = ["--set", "options.crop_px=64", "--set", "steps=4", "--set", "epochs=1"]
PARTICLE_PX = 16.0


def succeed(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="session")
def training(phantoms, tmp_path_factory):
    """A small heatmap, taught for seconds at its own scale."""
    folder = tmp_path_factory.mktemp("taught")
    one = {"name": "phantoms", "micrographs": [str(phantoms / "micrographs")], "diameter_A": 150}
    settings = {"network": "heatmap", "data": [one | {"labels": str(phantoms / "truth")}]}
    (folder / "training.yaml").write_text(yaml.safe_dump(settings))
    small = [
        "--set",
        "options.base=4",
        "--set",
        "options.crop_px=96",
        "--set",
        "steps=20",
        "--set",
        "epochs=3",
    ]
    succeed("train", folder / "training.yaml", "--out", folder / "training", *small, *ALONE)
    return folder / "training"


@pytest.fixture(scope="session")
def first(training, phantoms, tmp_path_factory):
    """A run of that model at another scale than its own."""
    out = tmp_path_factory.mktemp("first") / "run"
    inputs = [phantoms / "micrographs" / "square0", "--diameter", 150, "--threads", 1]
    model = ["--model", training / "heatmap-phantoms.safetensors", "--particle-px", PARTICLE_PX]
    succeed("run", *inputs, *model, "--out", out, "--engine", "serial")
    return out


@pytest.fixture(scope="session")
def second(first, tmp_path_factory):
    out = tmp_path_factory.mktemp("second") / "run"
    succeed("refine", first, "--out", out, *SMALL, *ALONE, "--share", 0.5)
    return out


def test_the_new_model_learns_and_picks_at_the_scale_of_the_run(first, second):
    _, card = load_model(next((second / "training").glob("*.safetensors")))
    assert card.particle_px == PARTICLE_PX
    settings = RunFolder(second).settings()
    assert (settings.particle_px, settings.threshold) == (None, "auto")
    assert Path(settings.model).parent == second / "training"
    summary = json.loads((second / "summary.json").read_text())
    assert (summary["complete"], summary["failed"]) == (6, 0)


def test_half_of_the_picks_are_learned_from(first, second):
    """Those of the micrographs that do not choose: 5 of 6."""
    taught = json.loads((second / "training" / "summary.json").read_text())
    count = taught["card"]["trained_on"]["particles"]
    picked = json.loads((first / "summary.json").read_text())["picked"]
    assert 0 < count <= picked // 2
    assert taught["settings"]["share"] == 0.5


@pytest.mark.parametrize("finer", [{"options": {"particle_px": 2 * PARTICLE_PX}}, {"scales": (0.7, 1.5)}])
def test_a_store_too_coarse_to_learn_from_is_refused(first, finer):
    run = RunFolder(first)
    settings, _ = refine_settings(run.settings(), [], share=0.5, top=100)
    assert own_split(run, settings).training
    with pytest.raises(PixelSizeError, match="`store_pixel_size_A`"):
        own_split(run, settings.model_copy(update=finer))


def test_resuming_changes_nothing_of_what_was_learned(first, second, cryopick):
    before = (second / "summary.json").read_text(), (second / "training" / "summary.json").read_text()
    again = ["refine", first, "--out", second, *SMALL, *ALONE]
    status, _, errors = cryopick(*again, "--share", 0.5)
    assert (status, "--resume" in errors) == (2, True)
    for changes, words in (
        ([], "share: 0.5 -> 0.85"),
        (["--share", 0.5, "--top", 7], "top: 10000 -> 7"),
        (["--share", 0.5, "--set", "seed=4"], "seed: 0 -> 4"),
    ):
        status, _, errors = cryopick(*again, *changes, "--resume")
        assert status == 2
        assert f"holds a run with other settings ({words})" in errors
    assert (
        (second / "summary.json").read_text(),
        (second / "training" / "summary.json").read_text(),
    ) == before
    assert cryopick(*again, "--share", 0.5, "--resume")[0] == 0
    old, new = json.loads(before[0]), json.loads((second / "summary.json").read_text())
    assert (old["digest"], old["picked"]) == (new["digest"], new["picked"])


def test_a_model_that_is_gone_is_said_to_be(first, training, cryopick, tmp_path):
    model = training / "heatmap-phantoms.safetensors"
    model.rename(tmp_path / "elsewhere.safetensors")
    try:
        status, _, errors = cryopick("refine", first, "--out", tmp_path / "out", *ALONE)
    finally:
        (tmp_path / "elsewhere.safetensors").rename(model)
    assert status == 1
    assert f"model {model} is gone; put the file back" in errors
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_kind_is_named_in_a_line(first, training, cryopick, tmp_path):
    config = training.parent / "training.yaml"
    for arguments, words in (
        (["refine", training, "--out", tmp_path / "out"], f"{training} holds a training, not a run"),
        (["refine", first, "--out", training, "--resume"], f"{training} holds a training, not a run"),
        (["train", config, "--out", first], f"{first} holds a run, not a training"),
        (["train", config, "--out", first, "--resume"], f"{first} holds a run, not a training"),
    ):
        status, _, errors = cryopick(*arguments, *ALONE)
        assert status == 2
        assert errors == f"cryopick: error: {words}; choose another folder\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--threads", 0],
        ["--workers", "²"],
        ["--workers", "3,2"],
        ["--workers", "0"],
        ["--workers", "1,"],
        ["--workers", "9" * 5000],
        ["--workers", "2", "--engine", "serial"],
    ],
)
def test_a_wrong_number_of_workers_or_threads_is_refused(first, cryopick, tmp_path, arguments):
    status, _, errors = cryopick("refine", first, "--out", tmp_path / "out", *arguments)
    assert status == 2
    assert arguments[0] in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "out").exists()


def test_without_room_on_ray_nothing_waits(first, cryopick, tmp_path):
    status, _, errors = cryopick(
        "refine", first, "--out", tmp_path / "out", "--workers", 2, "--threads", 4096
    )
    assert status == 1
    assert "--workers" in errors
    assert "--threads" in errors
    assert not ray.is_initialized()


def epochs_in(log):
    return len(log.read_text().splitlines()) - 1 if log.exists() else 0


@pytest.mark.timeout(500)
def test_a_notice_to_end_is_obeyed_on_ray_in_a_line(first, cryopick, tmp_path):
    arguments = ["refine", first, "--out", tmp_path / "out", *SMALL, "--workers", 1, "--threads", 1]
    command = [sys.executable, "-m", "cli.main", *map(str, arguments), "--set", "epochs=100000"]
    checkpoints = tmp_path / "out" / "training" / "checkpoints"
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 240
            while epochs_in(checkpoints / "log.csv") < 2:
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    said = [line for line in errors.splitlines() if not line.startswith(("learning from", "epoch"))]
    assert said == ["cryopick: error: interrupted; finished work is kept, go on with --resume"]
    done = epochs_in(checkpoints / "log.csv")
    status, _, errors = cryopick(*arguments, "--engine", "serial", "--resume", "--set", f"epochs={done + 1}")
    assert status == 0
    assert f"epoch {done + 1:3}" in errors


def test_ray_leaves_the_programs_own_answer_to_a_notice():
    """And starts a second time, then in a program that has none."""
    code = (
        "import os, signal\n"
        "from cryopick_ray.engine.ray_engine import RayEngine\n"
        "from cryopick_ray.engine.sizing import Size\n"
        "one = dict(size=Size(1, 1), threads=1, gpus_per_worker=1, wants_gpus=False, address=None)\n"
        "engine = lambda: RayEngine(**one)\n"
        "told = []\n"
        "signal.signal(signal.SIGTERM, lambda *_: told.append(1))\n"
        "with engine():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "print(len(told))\n"
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        "with engine():\n"
        "    pass\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    done = subprocess.run(
        [sys.executable, "-u", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGTERM, "1\n", "")


def test_the_lowest_validation_loss_is_marked_and_no_other(capsys):
    with ConsoleEvents() as events:
        # the last is of another training, whose micrographs are all learned from
        for number, validation in ((1, 0.5), (2, 0.6), (3, 0.4), (1, None)):
            events.epoch(Epoch(number, 0.1, validation, 1e-3, 1.0, 100, 1))
    lines = capsys.readouterr().err.splitlines()
    assert [line.endswith("lowest") for line in lines] == [True, False, True, False]
    assert "validation" not in lines[3]


def test_steps_of_an_epoch_are_told_now_and_then_where_there_is_no_terminal(capsys, monkeypatch):
    clock = iter(range(1000, 2000, 4))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    with ConsoleEvents() as events:
        for step in range(1, 9):
            events.steps(1, step, 8)
        events.epoch(Epoch(1, 0.1, None, 1e-3, 1.0, 100, 1))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "epoch 1: 1 of 8 steps"
    assert 2 <= len(lines) - 1 < 8  # the last one is the epoch's own
    assert all(line.startswith("epoch 1: ") for line in lines[:-1])
