"""What training is worth on this machine: examples a second by network, beside what convolutions alone allow.

Each network learns from phantoms with the settings of ``examples/14_families.yaml``. CPU seconds of this
process go to making examples, to forward and backward pass, and to the optimiser; the limit is the arithmetic
of both passes at the rate of a convolution in the same precision.
"""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy

import torch
import typer
import yaml
from commands import EXAMPLES
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from cryopick_ray.bench.machine import Machine
from cryopick_ray.bench.stopwatch import Stopwatch, TimedPart
from cryopick_ray.pickers.scoring import Precision
from cryopick_ray.training.data.batch_plan import BatchPlan
from cryopick_ray.training.data.examples import Examples, LabelledRow
from cryopick_ray.training.recipes.recipe import Recipe
from cryopick_ray.training.recipes.recipe_catalogue import make_recipe

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "training"))
from small_training import small_rows

RECIPES = EXAMPLES / "14_families.yaml"
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


def recipe_of(network: str, recipe: dict[str, Any]) -> Recipe:
    """Return the recipe that a recipe sets."""
    beside = {name: recipe[name] for name in ("batch", "learning_rate") if name in recipe}
    return make_recipe(network, recipe["options"] | beside, [])


def measure(recipe: Recipe, rows: Sequence[LabelledRow], precision: Precision, steps: int) -> Stopwatch:
    """Do some steps after one that counts the arithmetic; return what each part took."""
    examples = Examples(recipe, rows, BatchPlan(0, len(rows), recipe.batch, steps + 1))
    torch.manual_seed(0)
    network = recipe.build().to(memory_format=torch.channels_last).train()
    optimiser = recipe.optimiser(network, recipe.learning_rate)
    batches = examples.batches(0, 0, 1)

    def learn(images: Tensor, targets: Tensor) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            answer = network(images.to(memory_format=torch.channels_last))
        optimiser.zero_grad()
        recipe.loss(answer.float(), targets, 0).backward()

    with FlopCounterMode(display=False) as counter:
        learn(*next(batches))
    watch = Stopwatch()
    for _ in range(steps):
        with watch.part("examples"):
            batch = next(batches)
        with watch.part("network") as part:
            learn(*batch)
            part.flops += counter.get_total_flops()
        with watch.part("optimiser"):
            optimiser.step()
    return watch


def main(
    network: Annotated[list[str] | None, typer.Option(help="Only these.")] = None,
    precision: Annotated[Precision | None, typer.Option(help="Both, unless one is given.")] = None,
    steps: Annotated[int, typer.Option(help="Steps that are counted.")] = 5,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 1,
) -> None:
    """Print the table, a line as soon as it is known."""
    torch.set_num_threads(threads)
    machine = Machine(torch.device("cpu"))
    recipes = yaml.safe_load(RECIPES.read_text())["networks"]
    typer.echo(
        "| network | precision | examples/s | GFLOP an example | GFLOP/s | of the limit "
        "| making examples | network | optimiser |\n|---|---|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as scratch:
        rows = small_rows(Path(scratch) / "phantoms.zarr", range(4))
        for name in network or recipes:
            recipe = recipe_of(name, recipes[name])
            for one in PRECISIONS if precision is None else (precision,):
                parts = measure(recipe, rows, one, steps).parts
                typer.echo(row(name, one, parts, steps * recipe.batch, machine.limits(one).flops_per_s))


def row(
    network: str, precision: Precision, parts: Mapping[str, TimedPart], examples: int, limit: float
) -> str:
    """Return one line of the table."""
    seconds, flops = sum(part.cpu_seconds for part in parts.values()), parts["network"].flops
    shares = " | ".join(f"{part.cpu_seconds / seconds:.0%}" for part in parts.values())
    return (
        f"| {network} | {precision} | {examples / seconds:.1f} | {flops / examples / 1e9:.2f} "
        f"| {flops / seconds / 1e9:.1f} | {flops / seconds / limit:.0%} | {shares} |"
    )


if __name__ == "__main__":
    typer.run(main)
