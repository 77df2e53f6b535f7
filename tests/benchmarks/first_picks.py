"""How soon a run has its first picks and its last, beside another version of the program, in turn."""

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Annotated

import mrcfile
import typer

from cryopick_ray.simulate.phantom import make_phantom

PIXEL_SIZE_A, DIAMETER_A, UNLIKE = 2.0, 150.0, 20


def make(folder: Path, count: int, side_px: int) -> None:
    """Write micrographs, every twentieth alike."""
    images = [
        make_phantom(number, shape=(side_px, side_px), pixel_size_A=PIXEL_SIZE_A).pixels
        for number in range(min(UNLIKE, count))
    ]
    for number in range(count):
        with mrcfile.new(folder / f"m{number:05d}.mrc") as mrc:
            mrc.set_data(images[number % len(images)])
            mrc.voxel_size = PIXEL_SIZE_A


def run(program: str, folder: Path, out: Path, model: str) -> tuple[float, float]:
    """Return the seconds to the first shard of picks and to the end."""
    arguments = ["run", str(folder), "--out", str(out), "--model", model, "--diameter", str(DIAMETER_A)]
    first: list[float] = []
    ended = threading.Event()
    began = time.monotonic()

    def look() -> None:
        while not first and not ended.wait(0.05):
            if next(out.glob("picks/*/*.parquet"), None):
                first.append(time.monotonic() - began)

    looking = threading.Thread(target=look)
    looking.start()
    subprocess.run([*program.split(), *arguments], check=True, capture_output=True)
    seconds = time.monotonic() - began
    ended.set()
    looking.join()
    return first[0] if first else seconds, seconds


def main(
    other: Annotated[str | None, typer.Option(help="Command of another version to compare with.")] = None,
    micrographs: Annotated[int, typer.Option(help="How many.")] = 1000,
    side_px: Annotated[int, typer.Option(help="Of a micrograph.")] = 1024,
    model: Annotated[str, typer.Option(help="Who picks.")] = "heatmap-general",
    rounds: Annotated[int, typer.Option(help="Runs of each, in turn.")] = 3,
) -> None:
    """Print the seconds to the first picks and to the end, and the ratios round by round."""
    programs = {"this": f"{sys.executable} -m cryopick_ray"} | ({"other": other} if other else {})
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "in"
        folder.mkdir()
        make(folder, micrographs, side_px)
        for number in range(rounds):
            for name, program in programs.items():
                found[name].append(run(program, folder, Path(scratch) / f"{name}{number}", model))
    typer.echo("| version | first picks s, median | all s, median | all s of each round |")
    typer.echo("|---|---|---|---|")
    for name, times in found.items():
        first, all_s = (median(column) for column in zip(*times, strict=True))
        each = ", ".join(f"{total:.0f}" for _, total in times)
        typer.echo(f"| {name} | {first:.1f} | {all_s:.0f} | {each} |")
    if other:
        pairs = zip(found["this"], found["other"], strict=True)
        ratios = sorted(mine[1] / theirs[1] for mine, theirs in pairs)
        typer.echo(f"\nthis / other, all: median {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    typer.run(main)
