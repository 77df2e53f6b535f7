"""What each network learns from a few real micrographs, and in what time: the README's table, as Markdown.

Six apoferritin micrographs teach and three test; beta-galactosidase goes through four folds.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated, Any

import typer

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
CONFIGS = {"apoferritin": "06_train.yaml", "beta-galactosidase": "07_four_folds.yaml"}
NETWORKS = ("heatmap", "cryolo", "topaz", "deeppicker", "deepem")


def train(config: str, network: str, data: Path, out: Path, extra: list[str]) -> dict[str, Any]:
    """Train as a person would, and return what the command says."""
    program = Path(sys.executable).with_name("cryopick")
    command = [program, "train", EXAMPLES / config, "--out", out, "--set", f"network={network}", "--json"]
    words = [word for assignment in extra for word in ("--set", assignment)]
    done = subprocess.run(
        [*command, *words, "--engine", "serial"], cwd=data, check=True, stdout=subprocess.PIPE, text=True
    )
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def line(name: str, network: str, outcome: dict[str, Any]) -> str:
    """Return one row: mean, and standard deviation over folds."""
    scores = [one["score"] for one in outcome["lines"]]
    cells = [_spread([score[key] for score in scores]) for key in ("best_f1", "f1", "auprc")]
    seconds = outcome["seconds"] / len(outcome["models"])
    return f"| {name} | {network} | {' | '.join(cells)} | {seconds:.0f} |"


def _spread(values: list[float]) -> str:
    return f"{mean(values):.3f}" + (f" +- {stdev(values):.3f}" if len(values) > 1 else "")


def main(
    data: Annotated[Path, typer.Option(envvar="CRYOPICK_DATA", help="Folder of the real sets.")] = BESIDE,
    network: Annotated[list[str] | None, typer.Option(help="Only these.")] = None,
    only: Annotated[list[str] | None, typer.Option("--set-name", help="Only these sets.")] = None,
    assign: Annotated[list[str] | None, typer.Option("--set", help="Passed on to cryopick train.")] = None,
) -> None:
    """Train every network on every set and print the table."""
    typer.echo("| set | network | best F1 | F1 at its threshold | AUPRC | training s |")
    typer.echo("|---|---|---|---|---|---|")
    for name, config in CONFIGS.items():
        for one in network or NETWORKS:
            if only and name not in only:
                continue
            with tempfile.TemporaryDirectory() as scratch:
                outcome = train(config, one, data, Path(scratch) / "out", assign or [])
            typer.echo(line(name, one, outcome))


if __name__ == "__main__":
    typer.run(main)
