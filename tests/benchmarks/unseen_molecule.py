"""A molecule that a general model has never seen: its picks before and after ``self-train``, as Markdown.

``self-train`` learns from a teacher's best picks, without a label. Learning alone might help, too: the
control goes on for as long with simulated micrographs of other molecules, and never sees the target.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy, and for the commands run from here

import typer
from commands import BESIDE, EXAMPLES, cryopick

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.pickers.catalogue import read_card
from cryopick_ray.pickers.registry import find_training

TARGET = ("apoferritin-10146", "--pixel-size", 1.5, "--diameter", 120)
RADIUS_A = 46.5
OTHERS = EXAMPLES / "08_across_molecules.yaml"


def main(
    data: Annotated[Path, typer.Option(envvar="CRYOPICK_DATA", help="Folder of the real sets.")] = BESIDE,
    model: Annotated[str, typer.Option(help="Name or file.")] = DEFAULT_MODEL,
    teacher: Annotated[str, typer.Option(help="Whose picks are learned from: a model, or self.")] = "self",
    assign: Annotated[list[str] | None, typer.Option("--set", help="Of both trainings.")] = None,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
) -> None:
    """Pick, self-train, pick again, train the control, pick with it and print the table."""
    alone = ("--engine", "serial", "--threads", threads)
    both = _set(assign or [])
    typer.echo("| picks | precision | recall | F1 | best F1 | AUPRC |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        first, second, third, control = (
            Path(scratch) / name for name in ("first", "second", "third", "control")
        )
        cryopick("run", *TARGET, "--model", model, "--engine", "serial", folder=data, out=first)
        typer.echo(row("the model as it is", first, data))
        cryopick("self-train", first, "--teacher", teacher, *both, *alone, folder=data, out=second)
        typer.echo(row("after `self-train`", second, data))
        words = _set(as_long(second, model))
        cryopick("train", OTHERS, *words, *both, *alone, folder=data, out=control)
        with_control = ("--model", control / "control.safetensors", "--engine", "serial")
        cryopick("run", *TARGET, *with_control, folder=data, out=third)
        typer.echo(row("control: as long without the target", third, data))


def as_long(run: Path, model: str) -> list[str]:
    """Return settings of a training from the same model with as many updates as a self-training had."""
    rounds = len(json.loads((run / "summary.json").read_text())["taught"]["rounds"])
    first = json.loads((run / "training" / "round-1" / "summary.json").read_text())["settings"]
    card = read_card(model)
    assert card is not None, f"{model} has no weights"
    usual = find_training(card.network)
    epochs, steps = rounds * (first["epochs"] or usual.epochs), first["steps"] or usual.steps
    words = {"network": card.network, "start": model, "name": "control", "epochs": epochs, "steps": steps}
    return [f"{name}={value}" for name, value in words.items()]


def _set(assignments: list[str]) -> list[Any]:
    return [word for text in assignments for word in ("--set", text)]


def row(name: str, run: Path, data: Path) -> str:
    """Return the scores of a run within 31 px."""
    found = cryopick("evaluate", run, "--truth", TARGET[0], "--radius", RADIUS_A, folder=data)["pooled"]
    cells = [f"{found[key]:.3f}" for key in ("precision", "recall", "f1", "best_f1", "auprc")]
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    typer.run(main)
