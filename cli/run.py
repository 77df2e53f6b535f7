"""``cryopick run``: ingest, pick, table, export and report in one."""

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .bridge import ENGINE, RUN, Given, Offer, takes
from .console import ConsoleEvents, say
from .spelling import tell


@takes(settings=Offer(RUN, assign=True), engine=Offer(ENGINE))
def run(
    settings: Given,
    engine: Given,
    out: Annotated[
        str,
        typer.Option(
            "--out", metavar="DIR", help="Folder of the run, or s3://BUCKET/PREFIX.", show_default=False
        ),
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="Settings of an earlier run (its config.yaml); options given here win.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with the run in DIR, with its settings; new micrographs in INPUT join it."
        ),
    ] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Pick micrographs: ingest, pick, table, RELION coordinates and a report in one.

    DIR then holds config.yaml store.zarr picks/ table/ coordinates/ report.html summary.json.
    """
    del debug
    from cryopick_ray.runs.api import settings_for
    from cryopick_ray.runs.pipeline import pick_all
    from cryopick_ray.runs.run_folder import RunFolder
    from cryopick_ray.settings.config import fill
    from cryopick_ray.settings.engine_settings import EngineSettings

    folder, where = RunFolder(out), fill(EngineSettings, **engine)
    wanted = settings_for(folder, settings, config=config, resume=resume, say=tell)
    with ConsoleEvents() as events:
        summary = pick_all(wanted, where, folder, resume=resume, events=events)
    say(summary.to_dict(), summary.text(), as_json=as_json)
    if summary.failures:
        raise typer.Exit(options.DONE_WITH_FAILURES)
