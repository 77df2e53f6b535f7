"""What each network learns from a few real micrographs, and in what time: a table of docs/results.md.

Six apoferritin micrographs teach and three test; beta-galactosidase goes through four folds. Sizes are
those of ``SMALLER``: minutes on a CPU, where the papers' would take hours.
"""

import os
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy, and for the commands run from here

import typer
from commands import BESIDE, EXAMPLES, cryopick

CONFIGS = {"apoferritin": "06_train.yaml", "beta-galactosidase": "07_four_folds.yaml"}
TOPAZ = ("precision=bfloat16", "batch=128", "learning_rate=1e-3", "options.units=16", "epochs=8")
CRYOLO = ("precision=bfloat16", "batch=2", "learning_rate=5e-4", "options.crop_px=256", "options.warm_up=1")
DEEPEM = ("options.box_px=48", "learning_rate=4")
SMALLER = {
    ("apoferritin", "heatmap"): ("precision=bfloat16",),
    ("beta-galactosidase", "heatmap"): ("precision=bfloat16", "epochs=12"),
    ("apoferritin", "cryolo"): (*CRYOLO, "options.width=8", "epochs=30"),
    ("beta-galactosidase", "cryolo"): (*CRYOLO, "options.width=16", "epochs=40", "patience=40"),
    ("apoferritin", "topaz"): (*TOPAZ, "options.slack=0.1"),
    ("beta-galactosidase", "topaz"): (*TOPAZ, "options.objective=pn"),
    ("apoferritin", "deeppicker"): (),
    ("beta-galactosidase", "deeppicker"): (),
    ("apoferritin", "deepem"): DEEPEM,
    ("beta-galactosidase", "deepem"): DEEPEM,
}
"""Settings that differ from the network's own, by set and network."""


def main(
    data: Annotated[Path, typer.Option(envvar="CRYOPICK_DATA", help="Folder of the real sets.")] = BESIDE,
    network: Annotated[list[str] | None, typer.Option(help="Only these.")] = None,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
) -> None:
    """Train every network on every set and print the table."""
    typer.echo("| set | network | best F1 | F1 at its threshold | AUPRC | training s |")
    typer.echo("|---|---|---|---|---|---|")
    for (name, one), settings in SMALLER.items():
        if network and one not in network:
            continue
        words = [word for setting in (f"network={one}", *settings) for word in ("--set", setting)]
        outcome = cryopick(
            "train", EXAMPLES / CONFIGS[name], *words, "--engine", "serial", "--threads", threads, folder=data
        )
        scores = [line["score"] for line in outcome["lines"]]
        cells = [spread([score[key] for score in scores]) for key in ("best_f1", "f1", "auprc")]
        seconds = outcome["seconds"] / len(outcome["models"])
        typer.echo(f"| {name} | {one} | {' | '.join(cells)} | {seconds:.0f} |")


def spread(values: list[float]) -> str:
    """Return the mean, and of several values their standard deviation."""
    return f"{mean(values):.3f}" + (f" +- {stdev(values):.3f}" if len(values) > 1 else "")


if __name__ == "__main__":
    typer.run(main)
