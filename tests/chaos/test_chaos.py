"""Whatever is killed, at any moment: the table is that of an undisturbed run, and nothing else is kept."""

import os
import random
import subprocess
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import typer
from chaos import Chaos
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.simulate.phantom import make_phantom
from tests.end_to_end.micrograph_files import PIXEL_SIZE_A, table_bytes, write_mrc

DIAMETER_A = 80.0
FEW = {"worker": 2, "node": 1, "driver": 1, "stored micrograph": 1, "picks": 1, "disk": 1}
MANY = {
    "worker": 20,
    "raylet": 8,
    "node": 8,
    "driver": 8,
    "object store": 2,
    "disk": 3,
    "stored micrograph": 5,
    "picks": 3,
}


@contextmanager
def small_disk(folder, mebibytes):
    """Mount a small file system on ``folder``, where one may."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def micrographs(folder, count, shape):
    for seed in range(count):
        made = make_phantom(
            seed,
            shape=shape,
            pixel_size_A=PIXEL_SIZE_A,
            diameter_A=DIAMETER_A,
            particles=6,
            signal_to_noise=0.05,
        )
        write_mrc(folder / f"m{seed:03d}.mrc", made.pixels)


def in_one_process(command):
    """Run a command that nothing disturbs."""
    result = CliRunner().invoke(app, [*command, "--engine", "serial"])
    assert result.exit_code == 0, result.output


def kill_at_random(tmp_path, count, shape, kills, seed):
    """Run in peace, in one process, and under the kills; return the table, the chaos and its seconds."""
    micrographs(tmp_path / "in", count, shape)
    command = ["run", str(tmp_path / "in"), "--diameter", str(DIAMETER_A), "--model", "topaz-general"]
    command += ["--exact", "--invert", "no"]
    peace = tmp_path / "peace"
    in_one_process([*command, "--out", str(peace)])
    order = [kind for kind, times in kills.items() for _ in range(times)]
    random.Random(seed).shuffle(order)
    with small_disk(tmp_path / "disk", 60 + count) as disk:
        out = (disk or tmp_path) / "run"
        chaos = Chaos([*command, "--workers", "2", "--out", str(out)], out, disk, seed)
        try:
            seconds = chaos.run(order)
        finally:
            chaos.close()
        assert Counter(chaos.done) == Counter(kills)
        assert table_bytes(out) == table_bytes(peace)
        frame = pd.read_parquet(out / "table")
    return frame, chaos, seconds


def check(frame, count):
    assert frame.micrograph_id.nunique() == count
    assert not frame.duplicated(["micrograph_id", "x_px", "y_px"]).any()
    assert np.isfinite(frame.score).all()


def test_a_few_kills_lose_and_double_nothing(tmp_path):
    frame, *_ = kill_at_random(tmp_path, 24, (128, 128), FEW, seed=6)
    check(frame, 24)


@pytest.mark.cluster
@pytest.mark.timeout(3600)
def test_more_than_fifty_kills_lose_and_double_nothing(tmp_path, capsys):
    assert sum(MANY.values()) >= 50
    frame, chaos, seconds = kill_at_random(tmp_path, 500, (192, 192), MANY, seed=7)
    check(frame, 500)
    with capsys.disabled():
        typer.echo(f"\n{len(chaos.done)} kills, {chaos.restarts} restarts of the driver: {seconds:.0f} s")
