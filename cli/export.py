"""``cryopick export``: the table in another program's format."""

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .console import say


def export(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Folder or bucket of a table, or of a run.")],
    format: Annotated[
        str,
        typer.Option(
            "--format", metavar="star|box|cbox|cs|csv|topaz|...", help="As in docs/guides/formats.md."
        ),
    ],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder to write into.")],
    threshold: Annotated[
        float | None, typer.Option("--threshold", metavar="X", help="Another cut than the table's.")
    ] = None,
    box_px: Annotated[
        int | None,
        typer.Option("--box-px", metavar="N", help="Box side; default: 1.5 diameters."),
    ] = None,
    whole_px: Annotated[
        bool,
        typer.Option("--whole-px", help="Round to whole pixels: RELION and Topaz cut fractions off."),
    ] = False,
    relion_project: options.RelionProject = None,
    like: Annotated[
        Path | None,
        typer.Option(
            "--like",
            metavar="FILE",
            help="Picks or exposures (.cs, .csg) of the CryoSPARC project to fit in (cs).",
        ),
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Write the picks as RELION STAR, EMAN box, crYOLO cbox, CryoSPARC cs, CSV, Topaz text and more."""
    del debug
    from dataclasses import asdict

    from cryopick_ray.runs.results.read_run import export as write

    done = write(
        table,
        format,
        out,
        threshold=threshold,
        box_px=box_px,
        relion_project=relion_project,
        whole_px=whole_px,
        like=like,
    )
    text = "\n".join(
        (*done.notes, f"{done.picks} picks of {done.micrographs} micrographs in {done.files} files in {out}")
    )
    say({"format": format, "out": out, **asdict(done)}, text, as_json=as_json)
