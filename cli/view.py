"""``cryopick view``: a page to look at all micrographs, judge them and correct their picks."""

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .spelling import tell


def view(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Runs, also ones at work, tables, files or folders of coordinates of any program, as PATH "
            "or NAME=PATH; the first is corrected, the others are shown beside it.",
            show_default=False,
        ),
    ],
    micrographs: Annotated[
        str | None,
        typer.Option(
            "--micrographs", metavar="INPUT", help="Where the micrographs are, if no SOURCE is a run of ours."
        ),
    ] = None,
    truth: Annotated[
        str | None, typer.Option("--truth", metavar="FILE|DIR", help="Coordinates of true particles.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who decides; default: your login name.")
    ] = None,
    curation: Annotated[
        Path | None,
        typer.Option(
            "--curation",
            metavar="DIR",
            help="Folder of decisions, a file a person; default: curation/ in the run, else here.",
        ),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            "--classes", metavar="DIR", help="Folder of classify2d, whose classes are kept or dropped."
        ),
    ] = None,
    diameter: Annotated[
        float | None,
        typer.Option("--diameter", metavar="A", help="Of the particle, where no SOURCE says it."),
    ] = None,
    pixel_size: Annotated[
        float | None, typer.Option("--pixel-size", metavar="A", help="Likewise of the micrographs.")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address, such as for an ssh tunnel.")
    ] = False,
    debug: options.Debug = False,
) -> None:
    """Look at all micrographs on a local page, judge them, and correct their picks.

    The page is served to this machine alone, to who has its address; Ctrl-C ends it.
    """
    del debug
    from cryopick_ray.page.open_sources import PageSettings
    from cryopick_ray.page.page_session import PageSession
    from cryopick_ray.page.serve import serve
    from cryopick_ray.page.shared_decisions import login_name

    who = login_name() if by is None else by
    desk = PageSession(
        PageSettings(tuple(sources), micrographs, truth, who, curation, classes, diameter, pixel_size)
    )
    for note in desk.notes:
        tell(note)

    def say(url: str) -> None:
        typer.echo(f"page {url}")

    serve(desk, port, say=say, browse=not no_browser)
