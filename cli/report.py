"""``cryopick report``: a run's report, made again."""

from typing import Annotated

import typer

from . import options
from .console import say


def report(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder or bucket of a finished run.")],
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Make the report of a finished run again."""
    del debug
    from cryopick_ray.report.report import render_report
    from cryopick_ray.runs.folder import RunFolder
    from cryopick_ray.runs.results import read_summary, run_report
    from cryopick_ray.store.publish import write_whole

    run = RunFolder(folder)
    settings, summary = run.settings(), read_summary(run)
    run.fetch_table()
    write_whole(run.report, render_report(run_report(settings, run, summary)))
    run.publish_file(run.report)
    where = f"{run.where}/{run.report.name}"
    say({"report": where}, f"report {where}", as_json=as_json)
