"""From simulated molecules to one that was never seen: picks before and after ``refine``, as Markdown.

The general model learns from 14 simulated molecules, none like apoferritin; then it picks real
apoferritin micrographs, learns from its own best picks of them, without a label, and picks again.
"""

import os
import tempfile
from pathlib import Path
from typing import Annotated

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy, and for the commands run from here

import typer
from commands import BESIDE, EXAMPLES, cryopick

TOPAZ = ("precision=bfloat16", "batch=128", "options.objective=pn")
TRAINED = {
    "deeppicker": ("precision=bfloat16", "epochs=20"),
    "topaz": (*TOPAZ, "options.units=32", "learning_rate=1e-3", "epochs=12"),
}
THRESHOLD = {"deeppicker": 0.5, "topaz": -2.825}
"""Of the first picks: DeepPicker's own, and where two populations of Topaz's scores part."""
REFINED = {
    "deeppicker": ("precision=bfloat16", "epochs=10"),
    "topaz": (*TOPAZ, "options.expected_particles=80", "learning_rate=5e-4", "epochs=5"),
}
MICROGRAPHS = "apoferritin-10146"


def main(
    data: Annotated[Path, typer.Option(envvar="CRYOPICK_DATA", help="Folder of the real sets.")] = BESIDE,
    network: Annotated[list[str] | None, typer.Option(help="Only these.")] = None,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
) -> None:
    """Train, pick, refine, pick again and print the table."""
    alone = ("--engine", "serial", "--threads", threads)
    typer.echo(
        "| network | picks | precision | recall | F1 | best F1 | AUPRC |\n|---|---|---|---|---|---|---|"
    )
    for one in network or TRAINED:
        with tempfile.TemporaryDirectory() as scratch:
            general, first, second = (Path(scratch) / name for name in ("general", "first", "second"))
            words = [word for text in (f"network={one}", *TRAINED[one]) for word in ("--set", text)]
            config = EXAMPLES / "08_across_molecules.yaml"
            cryopick("train", config, *words, *alone, folder=data, out=general)
            target = (MICROGRAPHS, "--pixel-size", 1.5, "--diameter", 120)
            model = general / "general.safetensors"
            cut = ("--model", model, "--threshold", THRESHOLD[one])
            cryopick("run", *target, *cut, "--engine", "serial", folder=data, out=first)
            words = [word for text in REFINED[one] for word in ("--set", text)]
            cryopick("refine", first, "--share", 0.5, *words, *alone, folder=data, out=second)
            for name, run in (("general model", first), ("after refine", second)):
                typer.echo(row(one, name, run, data))


def row(network: str, name: str, run: Path, data: Path) -> str:
    """Return the scores of a run within 31 px."""
    found = cryopick("evaluate", run, "--truth", MICROGRAPHS, "--radius", 46.5, folder=data)["pooled"]
    cells = [f"{found[key]:.3f}" for key in ("precision", "recall", "f1", "best_f1", "auprc")]
    return f"| {network} | {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    typer.run(main)
