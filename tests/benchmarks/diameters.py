"""Diameters found in the micrographs alone, beside the true ones: real sets and ten molecules."""

import os
import tempfile
from pathlib import Path
from typing import Annotated

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy, and for the commands run from here

import typer
from commands import BESIDE, cryopick

from cryopick_ray.simulate.library import load_molecule

REAL = {"apoferritin-10146": (120.0, 1.5), "betagal-10017": (190.0, 3.54)}
KEPT_OUT = ("p97", "clpb", "cand1", "fatty-acid-synthase", "capsid")
KNOWN = ("rubisco", "ribosome-70s", "proteasome-20s", "antibody", "barrel")
"""Molecules that the network has learnt from, here in micrographs that it has not."""
PARTICLE_PX = 48


def main(
    data: Annotated[Path, typer.Option(envvar="CRYOPICK_DATA", help="Folder of the real sets.")] = BESIDE,
    real: Annotated[list[str] | None, typer.Option(help="Only these real sets.")] = None,
) -> None:
    """Estimate and print the table."""
    typer.echo("| micrographs | diameter, A | found | found / true | particles |\n|---|---|---|---|---|")
    for name in real if real is not None else REAL:
        true_A, pixel_size_A = REAL[name]
        found = cryopick("diameter", name, "--pixel-size", pixel_size_A, folder=data)
        typer.echo(row(name, true_A, found))
    with tempfile.TemporaryDirectory() as scratch:
        for name in (*KEPT_OUT, *KNOWN):
            true_A, out = load_molecule(name).diameter_A, Path(scratch) / name
            size = ("--pixel-size", true_A / PARTICLE_PX, "--shape", "1280x1280", "--micrographs", 3)
            simulation = ("--molecules", name, "--seed", 1000, "--engine", "serial")
            cryopick("simulate", *simulation, *size, folder=data, out=out)
            typer.echo(row(name, true_A, cryopick("diameter", out / "micrographs", folder=data)))


def row(name: str, true_A: float, found: dict) -> str:
    """Return one line of the table."""
    ratio = found["diameter_A"] / true_A
    return f"| {name} | {true_A:.0f} | {found['diameter_A']:.0f} | {ratio:.2f} | {found['particles']} |"


if __name__ == "__main__":
    typer.run(main)
