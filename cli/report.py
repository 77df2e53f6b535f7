"""``cryopick report``: a run's report, made again."""

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .console import say


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a finished run.")],
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Make the report of a finished run again."""
    del debug
    from cryopick_ray.export.report import render_report
    from cryopick_ray.results import read_summary, replace_text, run_report
    from cryopick_ray.run_folder import RunFolder

    run = RunFolder(folder)
    replace_text(run.report, render_report(run_report(run.settings(), run, read_summary(run))))
    say({"report": str(run.report)}, f"report {run.report}", as_json=as_json)
