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
    from cryopick_ray.runs.results import report_again
    from cryopick_ray.runs.run_folder import RunFolder

    run = RunFolder(folder)
    report_again(run)
    where = f"{run.where}/{run.report.name}"
    say({"report": where}, f"report {where}", as_json=as_json)
