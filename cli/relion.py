"""``cryopick relion``: what RELION starts as an External job."""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer

from . import options
from .bridge import ENGINE, RUN, Given, Offer, SettingsCommand, takes
from .console import FAILURES_SHOWN, ConsoleEvents

PANEL = "Job"
OF_NO_USE = {
    "in_parts": "particles are what is looked for",
    "in_coords": "no picks are needed; `cryopick train` learns from coordinates",
    "in_3dref": "no reference is needed; `cryopick models template MAP` makes a model of one",
    "in_mask": "there are no masks of micrographs",
}
WRONG_USAGE: Any = typer.BadParameter.__base__
"""What typer raises for a command that is called wrongly; it has no name there."""


class JobCommand(SettingsCommand):
    """A command of which RELION hears, too, when it was called wrongly."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Read the arguments; what is wrong with them is the job's failure."""
        folder = next((one for name, one in pairwise(args) if name == "--o"), None)
        try:
            return super().make_context(info_name, args, parent, **extra)
        except WRONG_USAGE as error:
            from cryopick_ray.errors import UsageError
            from cryopick_ray.runs.relion_job import RelionJob

            if folder is None:
                raise
            with RelionJob(Path(folder)).told():
                raise UsageError(error.format_message()) from error


def _input(name: str, text: str = "") -> Any:
    return typer.Option(f"--{name}", metavar="STAR", help=text, rich_help_panel=PANEL, hidden=not text)


@takes(
    settings=Offer(
        RUN,
        but=("inputs", "relion_project", "archive"),
        assign=True,
        calls={"inputs": "--in_mics", "out": "job", "relion_project": "the working folder"},
    ),
    engine=Offer(ENGINE),
)
def relion(
    settings: Given,
    engine: Given,
    out: Annotated[
        Path,
        typer.Option("--o", metavar="DIR", help="Its folder, External/jobNNN/.", rich_help_panel=PANEL),
    ],
    in_mics: Annotated[str | None, _input("in_mics", "Micrographs to pick.")] = None,
    in_movies: Annotated[str | None, _input("in_movies", "Movies to correct, sum and pick.")] = None,
    in_parts: Annotated[str | None, _input("in_parts")] = None,
    in_coords: Annotated[str | None, _input("in_coords")] = None,
    in_3dref: Annotated[str | None, _input("in_3dref")] = None,
    in_mask: Annotated[str | None, _input("in_mask")] = None,
    j: Annotated[
        int, typer.Option("--j", min=1, metavar="N", help="Workers at most.", rich_help_panel=PANEL)
    ] = 1,
    pipeline_control: Annotated[str | None, typer.Option("--pipeline_control", hidden=True)] = None,
    debug: options.Debug = False,
) -> None:
    """Pick as an External job of RELION, which starts this in the folder of its project.

    External tab: executable "cryopick relion", input micrographs CtfFind/job003/micrographs_ctf.star.

    Params tab: any option below without its dashes, such as label "diameter" and value "180".

    Extract takes the job's autopick.star. Continue goes on with a job that was aborted or has failed.
    """
    del debug, pipeline_control  # RELION adds the latter where a path in the command has its name
    from cryopick_ray.errors import UsageError
    from cryopick_ray.runs.relion_job import RelionJob
    from cryopick_ray.settings.config import fill
    from cryopick_ray.settings.engine_settings import EngineSettings

    job = RelionJob(out)
    with job.told(), ConsoleEvents(stderr=False) as events:
        for name, value in zip(OF_NO_USE, (in_parts, in_coords, in_3dref, in_mask), strict=True):
            if value:
                raise UsageError(f"--{name} is {value}: {OF_NO_USE[name]}; leave it empty")
        inputs = [one for one in (in_mics, in_movies) if one]
        if len(inputs) != 1:
            raise UsageError(f"{len(inputs)} inputs: expected one of --in_mics and --in_movies")
        running = fill(EngineSettings, **{"workers": f"1,{j}", **engine})
        summary = job.pick(inputs[0], settings, running, events)
        events.note(f"{summary.text()}\nfor RELION  {out / 'autopick.star'}")
    for micrograph_id, reason in summary.failures[:FAILURES_SHOWN]:
        typer.echo(f"failed: {micrograph_id}: {reason}", err=True)
    if (more := len(summary.failures) - FAILURES_SHOWN) > 0:
        typer.echo(f"and {more} more: see {out / 'report.html'}", err=True)
