"""Topaz's network with 100 labels in three micrographs against all of their labels, as Markdown.

GE-binomial is positive-unlabelled learning; PN takes every place without a label for a negative.
"""

import os
from itertools import product
from pathlib import Path
from typing import Annotated

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy, and for the commands run from here

import typer
from commands import BESIDE, EXAMPLES, cryopick

COMMON = (
    "network=topaz",
    "precision=bfloat16",
    "batch=128",
    "learning_rate=1e-3",
    "options.units=16",
    "options.expected_particles=162",
    "validation_share=0",
    "data.0.exclude=[May08_04_36_57*,May08_05_31_00*,May08_05_53_51*]",
)
OBJECTIVES = {"GE-binomial": "options.slack=0.1", "PN": "options.objective=pn"}


def main(
    data: Annotated[Path, typer.Option(envvar="CRYOPICK_DATA", help="Folder of the real sets.")] = BESIDE,
    epochs: Annotated[int, typer.Option(help="Epochs of 100 updates.")] = 10,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
) -> None:
    """Train with both objectives on few and on all labels and print the table."""
    typer.echo("| objective | labels | best F1 | AUPRC |\n|---|---|---|---|")
    for (name, objective), labels in product(OBJECTIVES.items(), (100, None)):
        settings = [*COMMON, objective, f"epochs={epochs}"]
        settings += [f"data.0.labels_used={labels}"] if labels else []
        words = [word for setting in settings for word in ("--set", setting)]
        config = EXAMPLES / "06_train.yaml"
        outcome = cryopick("train", config, *words, "--engine", "serial", "--threads", threads, folder=data)
        score = outcome["lines"][0]["score"]
        typer.echo(f"| {name} | {labels or 'all'} | {score['best_f1']:.3f} | {score['auprc']:.3f} |")


if __name__ == "__main__":
    typer.run(main)
