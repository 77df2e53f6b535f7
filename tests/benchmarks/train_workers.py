"""What a second worker brings: examples a second of two workers against one, equal work for each.

Every trial trains the same network anew on one Ray, one CPU thread a worker, the batch growing with the
workers; trials alternate. The first epoch is left out: it reads the micrographs.
"""

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Annotated

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy; a thread for each worker

import typer

from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.settings.engine_settings import EngineSettings
from cryopick_ray.training.loop.job import TrainingJob
from cryopick_ray.training.loop.loop import LoopSettings
from cryopick_ray.training.recipes.topaz import TopazRecipe

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "training"))
from small_training import Told, small_rows

BATCH_PER_WORKER = 32


def run_trial(job: TrainingJob, workers: int) -> float:
    """Train in a folder that is thrown away; return the median examples a second of an epoch."""
    from cryopick_ray.training.loop.ray_train import train_on_ray

    with tempfile.TemporaryDirectory() as folder:
        state = train_on_ray(
            job, Path(folder), workers=(workers, workers), threads=1, device="cpu", listener=Told()
        )
    return statistics.median(one.examples / one.seconds for one in state.history[1:])


def measure(rounds: int, epochs: int, steps: int) -> list[dict[int, float]]:
    """Return, for each round, examples a second by number of workers."""
    results: list[dict[int, float]] = []
    with tempfile.TemporaryDirectory() as scratch, open_engine(EngineSettings(workers=2), threads=1):
        rows = small_rows(Path(scratch, "s.zarr"), range(4))
        for number in range(rounds):
            found: dict[int, float] = {}
            for workers in (1, 2) if number % 2 == 0 else (2, 1):
                settings = LoopSettings(
                    epochs, steps, BATCH_PER_WORKER * workers, 1e-4, epochs, "float32", seed=0
                )
                found[workers] = run_trial(TrainingJob(TopazRecipe(pi=0.1), rows, (), settings), workers)
                typer.echo(f"{workers} worker(s): {found[workers]:.0f} examples/s", err=True)
            results.append(found)
    return results


def main(
    rounds: Annotated[int, typer.Option(help="Times that each trains.")] = 5,
    epochs: Annotated[int, typer.Option(help="Epochs of a training.")] = 6,
    steps: Annotated[int, typer.Option(help="Batches of an epoch.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rounds as JSON.")] = False,
) -> None:
    """Print throughputs and the median of the rounds' ratios."""
    results = measure(rounds, epochs, steps)
    if as_json:
        typer.echo(json.dumps(results))
        return
    one, two = (statistics.median(found[workers] for found in results) for workers in (1, 2))
    ratios = [found[2] / found[1] for found in results]
    typer.echo(
        "| one worker, examples/s | two workers, examples/s | ratio (least to most) |\n|---|---|---|\n"
        f"| {one:.0f} | {two:.0f} | {statistics.median(ratios):.2f}"
        f" ({min(ratios):.2f} to {max(ratios):.2f}) |"
    )


if __name__ == "__main__":
    typer.run(main)
