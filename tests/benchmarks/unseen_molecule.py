"""A molecule that the default model has never seen: its picks before and after ``self-train``, as Markdown.

``self-train`` learns from a teacher's best picks, without a label. Learning alone might help, too: the
control goes on for as long with the simulated micrographs that the model knows, and never sees the target.
"""

import os
import tempfile
from pathlib import Path
from typing import Annotated

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy, and for the commands run from here

import typer
from commands import BESIDE, EXAMPLES, cryopick

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.pickers.registry import find_recipe
from cryopick_ray.training.lessons.heatmap import HeatmapLesson

TARGET = ("apoferritin-10146", "--pixel-size", 1.5, "--diameter", 120)
RADIUS_A = 46.5
LONG = find_recipe("heatmap")
LESSON = ("precision=bfloat16", "learning_rate=5e-4")
AS_LONG = (f"epochs={LONG.epochs}", f"steps={LONG.steps}", f"batch={HeatmapLesson.batch}")


def main(
    data: Annotated[Path, typer.Option(envvar="CRYOPICK_DATA", help="Folder of the real sets.")] = BESIDE,
    model: Annotated[str, typer.Option(help="Name or file.")] = DEFAULT_MODEL,
    teacher: Annotated[str, typer.Option(help="Whose picks are learned from: a model, or self.")] = "self",
    share: Annotated[float, typer.Option(help="Of the picks, to learn from.")] = 0.85,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
) -> None:
    """Pick, self-train, pick again, train the control, pick with it and print the table."""
    alone = ("--engine", "serial", "--threads", threads)
    typer.echo("| picks | precision | recall | F1 | best F1 | AUPRC |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        first, second, third, control = (
            Path(scratch) / name for name in ("first", "second", "third", "control")
        )
        cryopick("run", *TARGET, "--model", model, "--engine", "serial", folder=data, out=first)
        typer.echo(row("the model as it is", first, data))
        words: list[object] = [word for text in LESSON for word in ("--set", text)]
        cryopick(
            "self-train",
            first,
            "--teacher",
            teacher,
            "--share",
            share,
            *words,
            *alone,
            folder=data,
            out=second,
        )
        typer.echo(row("after `self-train`", second, data))
        changes = ("data=[]", f"start={model}", "name=control", *AS_LONG, *LESSON)
        words = [word for text in changes for word in ("--set", text)]
        recipe = EXAMPLES / "11_general_real.yaml"
        cryopick("train", recipe, *words, *alone, folder=data, out=control)
        with_control = ("--model", control / "control.safetensors", "--engine", "serial")
        cryopick("run", *TARGET, *with_control, folder=data, out=third)
        typer.echo(row("control: as long without the target", third, data))


def row(name: str, run: Path, data: Path) -> str:
    """Return the scores of a run within 31 px."""
    found = cryopick("evaluate", run, "--truth", TARGET[0], "--radius", RADIUS_A, folder=data)["pooled"]
    cells = [f"{found[key]:.3f}" for key in ("precision", "recall", "f1", "best_f1", "auprc")]
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    typer.run(main)
