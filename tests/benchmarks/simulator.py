"""What a simulated micrograph of 4096 x 4096 pixels with 300 particles costs; the bar is 20 s and 2 GiB.

Every case is a process of its own, since the peak of memory is that of a process.
"""

import json
import os
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from typing import Annotated

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy: a worker has one thread

import torch
import typer

from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.simulated_micrograph import simulate
from cryopick_ray.simulate.simulation_settings import simulation_settings

CASES = (
    ("betagal", 1.5),
    ("apoferritin", 1.0),
    ("antibody", 0.7),
    ("ribosome-80s", 1.5),
    ("ribosome-80s", 1.0),
)
PARTICLES, SIDE_PX = 300, 4096


@dataclass(frozen=True)
class Cost:
    """CPU seconds of one micrograph, and the peak of the process's memory."""

    molecule: str
    pixel_size_A: float
    particles: int
    cpu_s: float
    peak_GiB: float


def measure(molecule: str, pixel_size_A: float) -> Cost:
    """Simulate two micrographs; the first also pays for what a worker does once."""
    torch.set_num_threads(1)
    scene = {
        "particles": PARTICLES,
        "minimum_distance": 0.5,
    }  # so many ribosomes would not fit at 1 A per pixel
    contamination = {"carbon": {"probability": 0}, "gold": {"probability": 0}}
    data = {
        "molecules": [molecule],
        "pixel_size_A": pixel_size_A,
        "scene": scene,
        "contamination": contamination,
    }
    settings = simulation_settings(data | {"height_px": SIDE_PX, "width_px": SIDE_PX})
    molecules = [load_molecule(molecule)]
    simulate(settings, molecules, 0)
    start = time.process_time()
    made = simulate(settings, molecules, 1)
    cpu_s = time.process_time() - start
    peak_GiB = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return Cost(molecule, pixel_size_A, len(made.scene), round(cpu_s, 2), round(peak_GiB, 2))


def main(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Measure all cases, one after another."""
    costs = []
    for case in CASES:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            costs.append(fresh.submit(measure, *case).result())
    if as_json:
        typer.echo(json.dumps([asdict(cost) for cost in costs], indent=1))
        return
    typer.echo("| molecule | A per pixel | particles drawn | CPU s | peak GiB |\n|---|---|---|---|---|")
    for cost in costs:
        typer.echo("| " + " | ".join(str(value) for value in asdict(cost).values()) + " |")


if __name__ == "__main__":
    typer.run(main)
