"""Filaments of kinds that no model has learnt: what is found of them, and what where there are none."""

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy, and for the commands run from here

import typer
from commands import cryopick

from cryopick_ray import FILAMENT_MODEL
from cryopick_ray.simulate.filament_kinds import KEPT_OUT
from cryopick_ray.simulate.library import load_molecule

PIXELS_PER_WIDTH = 14.5
PARTICLES = ("p97", "cand1", "ribosome-30s", "clpb")
WIDTHS_A = (60, 150, 300)
NEGATIVE_PIXEL_SIZE_A = 6.0
EMPTY = ("--set", "scene.empty_probability=1")


def main(
    out: Annotated[Path | None, typer.Option(help="Keep micrographs and runs here.")] = None,
    model: Annotated[str, typer.Option(help="Name or weights file.")] = FILAMENT_MODEL,
    micrographs: Annotated[int, typer.Option(help="Of each kind.")] = 8,
    seed: Annotated[int, typer.Option(help="Of the first kind; each has its own.")] = 501,
    figures: Annotated[Path | None, typer.Option(help="Write the first table's as JSON.")] = None,
) -> None:
    """Simulate, trace, compare and print both tables."""
    with tempfile.TemporaryDirectory() as scratch:
        where = out or Path(scratch)
        where.mkdir(parents=True, exist_ok=True)
        typer.echo(
            "| kind | width, A | recall | precision | AUPRC | breaks | bridges | false joins | crossings | "
            "off, degrees: median, 90 % | off axis, widths |\n" + "|---" * 11 + "|"
        )
        scores = {}
        for number, name in enumerate(KEPT_OUT):
            scores[name] = kind_score(name, where, model, micrographs, seed + number)
            typer.echo(kind_row(name, scores[name]))
        if figures:
            figures.write_text(json.dumps(scores))
        typer.echo("\n| micrographs of | traced at | filaments | segments |\n|---|---|---|---|")
        for name in PARTICLES:
            typer.echo("\n".join(negative_rows(name, where, model, name, 4, ())))
        typer.echo("\n".join(negative_rows("ice and dirt", where, model, "p97", micrographs, EMPTY)))


def kind_score(name: str, where: Path, model: str, micrographs: int, seed: int) -> dict[str, Any]:
    """Return what is found of one kind."""
    width_A = load_molecule(name).diameter_A
    pixel_size_A = round(width_A / PIXELS_PER_WIDTH, 3)
    made = _simulated(where / name, name, pixel_size_A, micrographs, seed, ())
    run = where / f"{name}-run"
    _traced(made / "micrographs", run, width_A, model)
    found = cryopick("evaluate", run, "--truth", made / "truth", folder=where)
    score: dict[str, Any] = found["pooled"]
    return score


def kind_row(name: str, score: dict[str, Any]) -> str:
    """Return one line of the first table."""
    figures = [f"{score[name]:.3f}" for name in ("recall", "precision", "auprc")]
    counts = [str(score[name]) for name in ("breaks", "bridges", "false_joins", "crossings")]
    off = [f"{score['angle_deg']:.2f}, {score['angle_90_deg']:.2f}", f"{score['offset']:.3f}"]
    return f"| {' | '.join([name, f'{load_molecule(name).diameter_A:.0f}', *figures, *counts, *off])} |"


def negative_rows(
    title: str, where: Path, model: str, molecule: str, micrographs: int, more: tuple[str, ...]
) -> list[str]:
    """Return the lines of the second table of micrographs without filaments."""
    folder = where / f"none-{title.replace(' ', '-')}"
    made = _simulated(folder, molecule, NEGATIVE_PIXEL_SIZE_A, micrographs, 78, more)
    rows = []
    for width_A in WIDTHS_A:
        run = where / f"{folder.name}-{width_A}"
        summary = _traced(made / "micrographs", run, width_A, model)
        filaments = _filaments(run)
        rows.append(f"| {title} | {width_A} A | {filaments} | {summary['picked']} |")
    return rows


def _filaments(run: Path) -> int:
    """Return how many filaments a run has picked."""
    import numpy as np

    from cryopick_ray.picks.table import open_table

    return sum(
        len(np.unique(one.more["filament"][one.picked])) for one in open_table(run) if one.picked.any()
    )


def _simulated(
    out: Path, molecule: str, pixel_size_A: float, micrographs: int, seed: int, more: tuple[str, ...]
) -> Path:
    how = (
        "--molecules",
        molecule,
        "--pixel-size",
        pixel_size_A,
        "--micrographs",
        micrographs,
        "--seed",
        seed,
    )
    cryopick(
        "simulate", *how, "--shape", "1024x1024", "--engine", "serial", *more, folder=out.parent, out=out
    )
    return out


def _traced(micrographs: Path, run: Path, width_A: float, model: str) -> dict[str, Any]:
    how = ("--filament", "--width", width_A, "--model", model, "--any-image", "--engine", "serial")
    return cryopick("run", micrographs, *how, folder=run.parent, out=run)


if __name__ == "__main__":
    typer.run(main)
