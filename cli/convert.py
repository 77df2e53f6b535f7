"""``cryopick convert``: coordinates of one program in the format of another."""

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .console import say

FRAME = "CoordinateFrame"


def convert(
    source: Annotated[
        str, typer.Argument(metavar="IN", help="File or folder of coordinates, a run or a table.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="F", help="Format to write: star, box, cbox, cs ...")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write into.")],
    from_: Annotated[
        str | None, typer.Option("--from", metavar="F", help="Format of IN; default: what it looks like.")
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale", metavar="X", rich_help_panel=FRAME, help="x becomes X x, as in Fourier crops."
        ),
    ] = None,
    binning: Annotated[
        float | None,
        typer.Option(
            "--binning",
            metavar="B",
            rich_help_panel=FRAME,
            help="IN is of images binned by B: x becomes B (x + 0.5) - 0.5; 0.5 bins by 2.",
        ),
    ] = None,
    image_height: Annotated[
        int | None,
        typer.Option(
            "--image-height",
            metavar="PX",
            rich_help_panel=FRAME,
            help="Rows of IN's micrographs, where a format counts them from the last (cryoppp).",
        ),
    ] = None,
    micrographs: Annotated[
        str | None,
        typer.Option(
            "--micrographs",
            metavar="INPUT",
            rich_help_panel=FRAME,
            help="IN's micrographs (folder, file, list, run), for shapes and pixel sizes that IN lacks.",
        ),
    ] = None,
    flip_y: Annotated[
        bool, typer.Option("--flip-y", rich_help_panel=FRAME, help="Count rows from the other end.")
    ] = False,
    whole_px: Annotated[
        bool, typer.Option("--whole-px", rich_help_panel=FRAME, help="Round to whole pixels.")
    ] = False,
    pixel_size: Annotated[
        float | None,
        typer.Option("--pixel-size", metavar="A", help="Of what is written, if IN says none."),
    ] = None,
    diameter: Annotated[
        float | None, typer.Option("--diameter", metavar="A", help="Of the particles, if IN says none.")
    ] = None,
    box_px: Annotated[
        int | None,
        typer.Option("--box-px", metavar="N", help="Box side; default: IN's own, or 1.5 diameters."),
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(
            "--like", metavar="FILE", help="Picks or exposures (.cs, .csg) of the project to fit in (cs)."
        ),
    ] = None,
    strip_uid: Annotated[
        bool, typer.Option("--strip-uid", help="Drop CryoSPARC's numbers before names.")
    ] = False,
    stems: Annotated[bool, typer.Option("--stems", help="Drop the folders of names.")] = False,
    relion_project: options.RelionProject = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Write coordinates of any program here as any other's: see docs/guides/formats.md for the table."""
    del debug
    from dataclasses import asdict

    from cryopick_ray.formats.convert import CoordinateFrame
    from cryopick_ray.formats.convert import convert as write
    from cryopick_ray.formats.format import ExportSettings
    from cryopick_ray.formats.known_micrographs import KnownMicrographs

    frame = CoordinateFrame(
        scale=scale,
        binning=binning,
        image_height=image_height,
        flip_y=flip_y,
        known=KnownMicrographs(micrographs) if micrographs else None,
        pixel_size_A=pixel_size,
        diameter_A=diameter,
        strip_uid=strip_uid,
        stems=stems,
        whole_px=whole_px,
    )
    settings = ExportSettings(relion_project=relion_project, box_px=box_px, like=like)
    done = asdict(write(source, to, out, from_=from_, frame=frame, settings=settings))
    outcome = {"from": done.pop("from_"), **done, "out": str(out)}
    text = f"{done['particles']} particles of {done['micrographs']} micrographs as {to} in {out}"
    say(outcome, "\n".join([text, *done["notes"]]), as_json=as_json)
