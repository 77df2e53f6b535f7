"""``cryopick watch``: picks what comes into folders, until told to end."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .bridge import ENGINE, RUN, Given, Offer, takes
from .console import ConsoleEvents, say
from .spelling import tell

if TYPE_CHECKING:
    from cryopick_ray.runs.watch import Until

IDLE_MINUTES = 30


@takes(settings=Offer(RUN, assign=True), engine=Offer(ENGINE))
def watch(
    settings: Given,
    engine: Given,
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder of the run.", show_default=False)],
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="N|idle:MIN",
            help="End after N micrographs, or once none has come for MIN minutes; default: go on.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in DIR, with its settings.")
    ] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Pick micrographs or movies as they come into folders; results are kept up to date.

    A file DIR/stop, Ctrl-C or SIGTERM ends it: what was begun is finished, and DIR is a run like any other.
    """
    del debug
    from cryopick_ray.runs.api import settings_for
    from cryopick_ray.runs.run_folder import RunFolder
    from cryopick_ray.runs.watch import watch as watch_folders
    from cryopick_ray.settings.config import fill
    from cryopick_ray.settings.engine_settings import EngineSettings

    folder, where = RunFolder(out), fill(EngineSettings, **engine)
    wanted = settings_for(folder, settings, config=None, resume=resume, say=tell)
    with ConsoleEvents() as events:
        summary = watch_folders(wanted, where, folder, resume=resume, until=_until(until), events=events)
    say(summary.to_dict(), summary.text(), as_json=as_json)
    if summary.failures:
        raise typer.Exit(options.DONE_WITH_FAILURES)


def _until(text: str | None) -> "Until":
    from cryopick_ray.errors import UsageError
    from cryopick_ray.runs.watch import Until

    if text is None:
        return Until()
    found = re.fullmatch(r"([1-9][0-9]{0,8})|idle(?::([0-9]{1,6}(?:\.[0-9]+)?))?", text)
    if found is None:
        raise UsageError(f"`until` is {text!r}: expected a number of micrographs, idle, or idle:MINUTES")
    if found[1]:
        return Until(micrographs=int(found[1]))
    return Until(idle_seconds=60 * float(found[2] or IDLE_MINUTES))
