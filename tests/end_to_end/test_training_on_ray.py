"""Self-training on Ray: workers, threads, room, and a notice to end."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray
from small_learning import SELF, SMALL

ROOT = Path(__file__).resolve().parents[2]


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
