"""What `cryopick run --resume --threshold X` costs on a finished run of many picks: only the table is cut."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.digest import THRESHOLD, settings_digest
from cryopick_ray.picks.shard import Picked
from cryopick_ray.picks.shards import PickShards
from cryopick_ray.runs.results.run_results import write_results
from cryopick_ray.runs.results.run_table import make_run_table
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.settings.config import to_yaml
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.store.manifest import ManifestRow, publish_part
from cryopick_ray.store.store import MicrographStore

UNIT, SIDE_PX = 64, 4096


def finished(folder: Path, micrographs: int, each: int) -> None:
    """Make what a run of so many micrographs leaves, their stored pixels apart."""
    inputs, out = folder / "in", folder / "run"
    inputs.mkdir()
    run = RunFolder(out)
    settings = RunSettings(inputs=(str(inputs),), diameter_A=150.0, relion_project=folder)
    out.mkdir()
    run.config.write_text(to_yaml(settings))
    store = MicrographStore(run.store, create=True)
    described = {"model": "made up", "diameter_A": 150.0}
    shards = PickShards(run.picks, settings_digest(described), create=True)
    shards.describe({**described, THRESHOLD: 0.4})
    rng = np.random.default_rng(0)
    for start in range(0, micrographs, UNIT):
        names = [f"m{number:06d}.mrc" for number in range(start, min(start + UNIT, micrographs))]
        for name in names:
            (inputs / name).touch()
        rows = [
            ManifestRow(
                *(name, "in", f"in/{name}", str(inputs / name), "crc", SIDE_PX, SIDE_PX, 1.0),
                *(512, 512, 1, None, None, None, "complete", ""),
            )
            for name in names
        ]
        publish_part(store.place, rows)
        shards.publish([Picked(name, "crc", candidates(rng, each)) for name in names])
    digest = settings_digest(described)
    write_results(settings, run, digest, make_run_table(settings, run, digest), {})


def candidates(rng: np.random.Generator, count: int) -> Candidates:
    """Return so many, best first."""
    x, y = rng.uniform(0, SIDE_PX, (2, count)).astype(np.float32)
    return Candidates(x, y, np.sort(rng.random(count, np.float32))[::-1].copy())


def main(
    micrographs: Annotated[int, typer.Option(help="How many.")] = 2000,
    each: Annotated[int, typer.Option(help="Candidates in each.")] = 500,
    rounds: Annotated[int, typer.Option(help="Cuts.")] = 3,
) -> None:
    """Print the seconds of each cut, start-up, coordinates and report included."""
    with tempfile.TemporaryDirectory() as scratch:
        finished(Path(scratch), micrographs, each)
        seconds = []
        for number in range(rounds):
            arguments = ["run", "--out", f"{scratch}/run", "--resume", "--threshold", str(0.5 + number / 10)]
            began = time.monotonic()
            subprocess.run(
                [sys.executable, "-m", "cryopick_ray", *arguments], check=True, capture_output=True
            )
            seconds.append(time.monotonic() - began)
    each_s = ", ".join(f"{second:.1f}" for second in seconds)
    typer.echo(f"{micrographs * each} candidates of {micrographs} micrographs cut in {each_s} s")


if __name__ == "__main__":
    typer.run(main)
