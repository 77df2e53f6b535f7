"""``cryopick export``: the table in another program's format."""

from typing import Annotated

import typer

from . import options
from .console import say


def export(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Folder or bucket of a table, or of a run.")],
    format: Annotated[
        str, typer.Option("--format", metavar="star|box|cbox|cs|csv|topaz", help="What to write.")
    ],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder to write into.")],
    threshold: Annotated[
        float | None, typer.Option("--threshold", metavar="X", help="Another cut than the table's.")
    ] = None,
    box_px: Annotated[
        int | None,
        typer.Option("--box-px", metavar="N", help="Box side (box, cbox); default: 1.5 diameters."),
    ] = None,
    relion_project: options.RelionProject = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Write the picks as RELION STAR, EMAN box, crYOLO cbox, CryoSPARC cs, CSV or Topaz text."""
    del debug
    from cryopick_ray.export.formats import ExportSettings
    from cryopick_ray.export.formats import export as write
    from cryopick_ray.picks.table import open_table, recut
    from cryopick_ray.runs.folder import RunFolder
    from cryopick_ray.store.claim import local_folder
    from cryopick_ray.units import Optics

    picks, run = open_table(table), RunFolder(table)
    settings = run.settings() if run.config.is_file() else None
    project = relion_project or (settings.relion_project if settings else None)
    given = ExportSettings(project, settings.optics if settings else Optics(), box_px)
    write(picks if threshold is None else recut(picks, threshold), format, local_folder(out), given)
    say({"format": format, "out": out}, f"{format} files in {out}", as_json=as_json)
