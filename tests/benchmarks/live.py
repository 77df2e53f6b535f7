"""Whether `cryopick watch` keeps up with a folder that fills: seconds from a whole file to picks on disk."""

import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import mrcfile
import numpy as np
import typer

from cryopick_ray.picks.shards import PickShards, digests
from cryopick_ray.simulate.phantom import make_phantom

PIXEL_SIZE_A, DIAMETER_A, UNLIKE = 2.0, 150.0, 20
"""Of so many images each file is one, with a few grey values of its own: no two are the same file."""


def fill(folder: Path, images: Path, count: int, per_minute: float) -> None:
    """Write files as a microscope does: slowly enough, each over a while, whatever the reader does."""
    pixels = np.load(images, mmap_mode="r")
    begun = time.time()
    for number in range(count):
        time.sleep(max(0.0, begun + number * 60 / per_minute - time.time()))
        image = np.array(pixels[number % len(pixels)])
        image[0, :4] += number
        with mrcfile.new(folder / f"m{number:05d}.mrc") as mrc:
            mrc.set_data(image)
            mrc.voxel_size = PIXEL_SIZE_A


def delays_s(folder: Path, out: Path) -> list[float]:
    """Return, for each micrograph, the seconds from its last byte to the shard with its picks."""
    picks = str(out / "picks")
    [digest] = digests(picks)
    shards = PickShards(picks, digest)
    found = []
    for key in shards.published():
        published = (out / "picks" / key).stat().st_mtime
        found += [published - (folder / line.micrograph_id).stat().st_mtime for line in shards.read(key)[1]]
    return found


def main(
    micrographs: Annotated[int, typer.Option(help="Files that come.")] = 600,
    per_minute: Annotated[float, typer.Option(help="How fast.")] = 300.0,
    side_px: Annotated[int, typer.Option(help="Of a micrograph.")] = 1024,
    model: Annotated[str, typer.Option(help="Who picks.")] = "heatmap-general",
) -> None:
    """Print how long files waited for their picks, and what the results came to."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, out, images = Path(scratch) / "in", Path(scratch) / "run", Path(scratch) / "images.npy"
        folder.mkdir()
        shape = (side_px, side_px)
        np.save(
            images, [make_phantom(n, shape=shape, pixel_size_A=PIXEL_SIZE_A).pixels for n in range(UNLIKE)]
        )
        command = [
            *(sys.executable, "-m", "cryopick_ray", "watch", str(folder), "--out", str(out), "--json"),
            *("--model", model, "--diameter", str(DIAMETER_A), "--until", str(micrographs)),
        ]
        filling = multiprocessing.Process(target=fill, args=(folder, images, micrographs, per_minute))
        filling.start()
        started = time.monotonic()
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ, text=True)
        seconds = time.monotonic() - started
        filling.join()
        summary, waited = json.loads(done.stdout), sorted(delays_s(folder, out))
    late = waited[int(0.95 * len(waited))]
    typer.echo("| files | a minute | watched s | complete | wait for picks s: median | 95 % | most |")
    typer.echo("|---|---|---|---|---|---|---|")
    typer.echo(
        f"| {micrographs} | {per_minute:g} | {seconds:.0f} | {summary['complete']} | "
        f"{statistics.median(waited):.1f} | {late:.1f} | {waited[-1]:.1f} |"
    )


if __name__ == "__main__":
    typer.run(main)
