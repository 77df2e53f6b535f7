"""A run teaches its model, by its own picks or another's: through the real command."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray
import torch
from small_learning import ALONE, PARTICLE_PX, SELF, SMALL, succeed

from cli.console import ConsoleEvents
from cryopick_ray.errors import PixelSizeError
from cryopick_ray.pickers.weights import load_model
from cryopick_ray.picks.table import PickTable
from cryopick_ray.runs.results import read_summary
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.runs.self_training import check_fine
from cryopick_ray.runs.target import target_of
from cryopick_ray.training.loop.loop import Epoch
from tests.pickers.test_importers import topaz_state

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def second(first, tmp_path_factory):
    out = tmp_path_factory.mktemp("second") / "run"
    succeed("self-train", first, "--out", out, *SMALL, *SELF, *ALONE, "--share", 0.5)
    return out


def test_the_new_model_learns_and_picks_at_the_scale_of_the_run(first, second):
    _, card = load_model(next((second / "training").glob("*.safetensors")))
    assert card.particle_px == PARTICLE_PX
    assert "cryopick self-train, teacher self" in card.source or card.name == "heatmap-phantoms"
    settings = RunFolder(second).settings()
    assert (settings.particle_px, settings.threshold) == (None, "auto")
    assert Path(settings.model).parent == second / "training"
    summary = json.loads((second / "summary.json").read_text())
    assert (summary["complete"], summary["failed"]) == (6, 0)


def test_half_of_the_picks_are_learned_from(first, second):
    """Those of the micrographs that do not choose: 5 of 6."""
    taught = json.loads((second / "training" / "round-1" / "summary.json").read_text())
    count = taught["card"]["trained_on"]["particles"]
    picked = json.loads((first / "summary.json").read_text())["picked"]
    assert 0 < count <= picked // 2
    assert taught["settings"]["share"] == 0.5


@pytest.mark.parametrize("finer", [{"options": {"particle_px": 2 * PARTICLE_PX}}, {"scales": (0.7, 1.5)}])
def test_a_store_too_coarse_to_learn_from_is_refused(first, finer):
    run = RunFolder(first)
    target = target_of(run, {"share": 0.5, "top": 100, "teacher": "self"}, [])
    split = target.split(target.sample(PickTable(run.table)), target.own_picker("cpu"))
    assert (len(split.training), len(split.validation)) == (5, 1)
    check_fine(split, target.learn, target.settings)
    with pytest.raises(PixelSizeError, match="`store_pixel_size_A`"):
        check_fine(split, target.learn.model_copy(update=finer), target.settings)


def test_there_is_no_command_of_the_old_name(cryopick):
    status, _, errors = cryopick("refine")
    assert status == 2
    assert "No such command 'refine'" in errors


def test_another_model_teaches_by_picks_of_its_own_run(first, cryopick, tmp_path):
    """Whatever comes of it, what was measured is told, and what is kept is not worse by it."""
    out = tmp_path / "out"
    status, said, _ = cryopick(
        "self-train", first, "--out", out, "--teacher", "log", *SMALL, *ALONE, "--json", "--rounds", 2
    )
    assert status == 0
    summary = json.loads(said)
    taught = summary["taught"]
    assert (taught["teacher"], taught["measure"], taught["held_back"]) == ("log", "agreement", 1)
    evidence = [taught["before"], *taught["rounds"]]
    assert evidence[taught["kept"]] == max(evidence)
    picked = json.loads((out / "teacher" / "summary.json").read_text())
    learned = json.loads((out / "training" / "round-1" / "summary.json").read_text())
    own, *simulated = learned["card"]["trained_on"]["sets"]
    assert 0 < own["particles"] < picked["picked"]
    assert len(simulated) == 6
    assert read_summary(RunFolder(out)).taught.rounds == tuple(taught["rounds"])
    assert (out / "teacher" / "table").is_dir()


def test_a_student_that_is_no_better_is_not_kept(first, cryopick, tmp_path):
    """One that learned to see nothing: the run keeps its model, picks as before, and says so."""
    out = tmp_path / "out"
    ruin = ["--set", "learning_rate=30", "--set", "steps=12"]
    status, said, errors = cryopick("self-train", first, "--out", out, *SMALL, *SELF, *ruin, *ALONE)
    assert status == 0
    words = "no student is better: the run keeps the model that it began with; steadiness under noise"
    assert words in said
    assert words in errors
    before, after = (json.loads((run / "summary.json").read_text()) for run in (first, out))
    assert after["taught"]["kept"] == 0
    assert after["taught"]["rounds"][0] <= after["taught"]["before"]
    assert after["picked"] == before["picked"]
    assert any(words in one["text"] for one in after["warnings"])
    assert words in (out / "report.html").read_text()
    status, _, _ = cryopick("run", "--out", out, "--resume", "--threshold", 0.3, "--engine", "serial")
    assert status == 0
    again = json.loads((out / "summary.json").read_text())
    assert again["taught"] == after["taught"]
    assert sum(words in one["text"] for one in again["warnings"]) == 1


def test_resuming_changes_nothing_of_what_was_learned(first, second, cryopick):
    files = second / "summary.json", second / "training" / "round-1" / "summary.json"
    before = [file.read_text() for file in files]
    again = ["self-train", first, "--out", second, *SMALL, *SELF, *ALONE]
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
    assert [file.read_text() for file in files] == before
    assert cryopick(*again, "--share", 0.5, "--resume")[0] == 0
    old, new = json.loads(before[0]), json.loads((second / "summary.json").read_text())
    assert [old[name] for name in ("digest", "picked", "taught")] == [
        new[name] for name in ("digest", "picked", "taught")
    ]


def test_a_model_that_is_gone_is_said_to_be(first, training, cryopick, tmp_path):
    model = training / "heatmap-phantoms.safetensors"
    model.rename(tmp_path / "elsewhere.safetensors")
    try:
        status, _, errors = cryopick("self-train", first, "--out", tmp_path / "out", *ALONE)
    finally:
        (tmp_path / "elsewhere.safetensors").rename(model)
    assert status == 1
    assert f"model {model} is gone; put the file back" in errors
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_kind_is_named_in_a_line(first, training, cryopick, tmp_path):
    config = training.parent / "training.yaml"
    for arguments, words in (
        (["self-train", training, "--out", tmp_path / "out"], f"{training} holds a training, not a run"),
        (["self-train", first, "--out", training, "--resume"], f"{training} holds a training, not a run"),
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
    status, _, errors = cryopick("self-train", first, "--out", tmp_path / "out", *arguments)
    assert status == 2
    assert arguments[0] in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "out").exists()


def test_without_room_on_ray_nothing_waits(first, cryopick, tmp_path):
    status, _, errors = cryopick(
        "self-train", first, "--out", tmp_path / "out", "--workers", 2, "--threads", 4096
    )
    assert status == 1
    assert "--workers" in errors
    assert "--threads" in errors
    assert not ray.is_initialized()


def epochs_in(log):
    return len(log.read_text().splitlines()) - 1 if log.exists() else 0


@pytest.mark.timeout(500)
def test_a_notice_to_end_is_obeyed_on_ray_in_a_line(first, cryopick, tmp_path):
    arguments = [
        "self-train",
        first,
        "--out",
        tmp_path / "out",
        *SMALL,
        *SELF,
        "--workers",
        1,
        "--threads",
        1,
    ]
    command = [sys.executable, "-m", "cli.main", *map(str, arguments), "--set", "epochs=100000"]
    checkpoints = tmp_path / "out" / "training" / "round-1" / "checkpoints"
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
    said = [line for line in errors.splitlines() if not line.startswith(("round 1: learning from", "epoch"))]
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
        "from cryopick_ray.engine.sizing import PoolSize\n"
        "one = dict(size=PoolSize(1, 1), threads=1, gpus_per_worker=1, wants_gpus=False, address=None)\n"
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


@pytest.mark.parametrize("network", ["deepem", "deeppicker"])
def test_a_preset_learns_as_its_paper_has_it(network, phantoms, cryopick, tmp_path):
    """DeepEM from nothing, its own false picks too; DeepPicker on from its weights."""
    inputs = [phantoms / "micrographs" / "square1", "--diameter", 150, "--engine", "serial", "--threads", 1]
    first, out = tmp_path / "first", tmp_path / "out"
    succeed("run", *inputs, "--model", f"{network}-general", "--out", first, "--threshold", 0.1)
    short = ["--set", "epochs=1", "--set", "steps=3", "--set", "batch=8", "--set", "lowest=0.1"]
    status, said, errors = cryopick(
        "self-train", first, "--out", out, "--preset", network, *short, *ALONE, "--json"
    )
    assert status == 0
    taught = json.loads(said)["taught"]
    assert (taught["teacher"], len(taught["rounds"])) == ("self", 1)
    learned = json.loads((out / "training" / "round-1" / "summary.json").read_text())
    card = learned["card"]["trained_on"]
    assert card["sets"][0]["particles"] <= json.loads((first / "summary.json").read_text())["picked"]
    assert (card["before"] is None) == (network == "deepem")
    assert ("false picks are negatives of the next" in errors) == (network == "deepem")
    assert len(card["sets"]) == (7 if network == "deepem" else 1)


def test_weights_of_topaz_itself_learn(phantoms, cryopick, tmp_path):
    path = tmp_path / "mine.sav"
    torch.manual_seed(0)
    torch.save(topaz_state("topaz-resnet8", 2), path)
    inputs = [phantoms / "micrographs" / "square1", "--diameter", 150, "--engine", "serial", "--threads", 1]
    first, out = tmp_path / "first", tmp_path / "out"
    succeed("run", *inputs, "--model", path, "--out", first)
    short = ["--set", "epochs=1", "--set", "steps=3", "--set", "batch=16", "--rounds", 1]
    status, _, _ = cryopick("self-train", first, "--out", out, "--teacher", "log", *short, *ALONE)
    assert status == 0
    _, card = load_model(out / "training" / "mine-self-trained.safetensors")
    assert card.architecture == "topaz-resnet8"
    learned = json.loads((out / "training" / "round-1" / "summary.json").read_text())
    assert learned["card"]["options"] == {"batch": 16}
