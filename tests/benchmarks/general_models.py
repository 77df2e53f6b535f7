"""Trains the models that the package ships, on one machine without Ray: examples/09_general.yaml for all.

Micrographs are simulated on all CPUs at once and shared by the trainings, which run side by side, so that a
GPU is kept busy. Trials are what the recipe was chosen among, each trained for a short while.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy

import typer
import yaml

from cryopick_ray.engine.events import SilentEvents
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.training.data.prepare import simulate_molecule
from cryopick_ray.training.training_settings import SimulatedData, train_settings

RECIPE = Path(__file__).parents[2] / "examples" / "09_general.yaml"
NARROW = "scales=[0.8,1.25]"
HALF = "precision=bfloat16"
FINE_PX = 54
"""Of particles for networks that see larger ones than the heat map does."""
MODELS = {
    "heatmap-general": (),
    "heatmap-general-seed-1": ("seed=1",),
    "heatmap-general-seed-2": ("seed=2",),
    "repeated-1": ("epochs=2",),
    "repeated-2": ("epochs=2",),
    "topaz-general": (
        "FINE",
        "network=topaz",
        "options={units: 32, objective: focal, crop_px: 131, pi: 0.1, positive_share: 0.75}",
        "batch=16",
        "learning_rate=2e-3",
        "epochs=10",
        "steps=600",
        HALF,
    ),
    "cryolo-general": (
        "FINE",
        "network=cryolo",
        "options={width: 16, crop_px: 256, warm_up: 0}",
        "batch=8",
        "learning_rate=5e-4",
        "epochs=10",
        "steps=600",
        "start=cryolo-general",
        NARROW,
        HALF,
    ),
    "deeppicker-general": (
        "FINE",
        "network=deeppicker",
        "options={jitter_px: 2, ring_share: 0.3, decay: cosine}",
        "batch=100",
        "learning_rate=0.02",
        "epochs=3",
        "steps=800",
        NARROW,
        HALF,
    ),
    "deepem-general": (
        "FINE",
        "network=deepem",
        "options={box_px: 48, relu: 1, jitter_px: 1.5, ring_share: 0.4, decay: cosine}",
        "batch=256",
        "learning_rate=1",
        "epochs=8",
        "steps=600",
        NARROW,
        HALF,
    ),
}
"""What is different from the recipe in each model. FINE: larger particles, on half as many micrographs."""
SHORT = (
    "options={base: 16, scale_jitter: 1, crop_px: 160}",
    "epochs=8",
    "steps=60",
    "batch=32",
    "precision=bfloat16",
)
TRIALS = {
    "trial": SHORT,
    "trial-without-greys": (*SHORT, "general=false"),
    "trial-without-scales": (*SHORT, "scales=[1,1]"),
    "trial-plain-alone": (*SHORT, "GROUPS=1"),
    "trial-varied": (*SHORT, "VARIED"),
}
"""What is left out of the recipe in each trial. GROUPS: the first ones; VARIED: other shapes everywhere."""


def main(
    out: Annotated[Path, typer.Option(help="Folder for everything.")],
    only: Annotated[list[str] | None, typer.Option(help="Models or trials; default: all models.")] = None,
    recipe_file: Annotated[Path, typer.Option("--recipe", help="What they have in common.")] = RECIPE,
    words: Annotated[list[str] | None, typer.Option("--set", help="For all, as of cryopick train.")] = None,
    processes: Annotated[int, typer.Option(help="CPUs.")] = len(os.sched_getaffinity(0)),
) -> None:
    """Simulate, train, and print seconds; models lie in a folder each below OUT."""
    began = time.perf_counter()
    wanted = {
        name: (*changes, *(words or ()))
        for name, changes in (MODELS | TRIALS).items()
        if name in (only or MODELS)
    }
    recipes = {name: recipe(recipe_file, changes) for name, changes in wanted.items()}
    made = simulate_all(list(recipes.values()), out, processes)
    typer.echo(f"simulated in {time.perf_counter() - began:.0f} s")
    running = []
    for number, name in enumerate(wanted):
        share = own_share(number, len(wanted), processes)
        running.append(start(name, recipes[name], made, wanted[name], out, share))
    codes = [one.wait() for one in running]
    typer.echo(f"all done in {time.perf_counter() - began:.0f} s")
    raise typer.Exit(max(codes))


def recipe(path: Path, changes: Sequence[str]) -> dict:
    """Return the recipe with its groups of micrographs as a trial wants them."""
    plain = yaml.safe_load(path.read_text())
    for word in changes:
        if word == "VARIED":
            for group in plain["simulated"]:
                group["name"] = f"{group['name']}-varied"
                group["settings"] = {**group["settings"], "variety": [0, 1]}
        elif word == "FINE":
            for group in plain["simulated"]:
                group["name"] = f"{group['name']}-fine"
                group["particle_px"] = FINE_PX
                group["micrographs"] = -(-group["micrographs"] // 2)
        elif word.startswith("GROUPS="):
            plain["simulated"] = plain["simulated"][: int(word[-1])]
    return plain


def simulate_all(recipes: Sequence[dict], out: Path, processes: int) -> dict[str, list[dict]]:
    """Make every group that some recipe wants, once; return its data sets by the group's name."""
    groups = {group.name: group for plain in recipes for group in train_settings(plain).simulated}
    jobs = [(group, molecule) for group in groups.values() for molecule in group.molecules]
    with ProcessPoolExecutor(processes) as pool:
        found = pool.map(make, *zip(*jobs, strict=True), [out / "simulated"] * len(jobs))
        sets = list(zip(jobs, found, strict=True))
    return {name: [one for (group, _), one in sets if group.name == name] for name in groups}


def make(group: SimulatedData, molecule: str, folder: Path) -> dict:
    """Make one molecule's micrographs; return them as a data set of a recipe."""
    return simulate_molecule(group, molecule, folder, SerialEngine(), SilentEvents()).model_dump(mode="json")


def own_share(number: int, trainings: int, processes: int) -> set[int]:
    """Return the CPUs of one training; each belongs to two or three, since they wait for the GPU too."""
    each = min(processes, max(2, -(-5 * processes // (2 * trainings))))
    return {(number * each + offset) % processes for offset in range(each)}


def start(
    name: str, plain: dict, made: dict[str, list[dict]], changes: Sequence[str], out: Path, cpus: set[int]
) -> subprocess.Popen:
    """Begin one training in a process of its own, on micrographs that are there."""
    groups = plain.pop("simulated")
    plain["data"] = [one for group in groups for one in made[group["name"]]]
    config = out / f"{name}.yaml"
    config.write_text(yaml.safe_dump(plain))
    words = [word for word in (f"name={name}", *changes) if "=" in word and not word.startswith("GROUPS")]
    sets = [part for word in words for part in ("--set", word)]
    command = (sys.executable, "-m", "cryopick_ray", "train", config, "--out", out / name, *sets)
    return subprocess.Popen(
        [*map(str, command), "--engine", "serial", "--threads", "1"],
        stdout=(out / f"{name}.log").open("w"),
        stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=lambda: os.sched_setaffinity(0, cpus),
    )


if __name__ == "__main__":
    typer.run(main)
