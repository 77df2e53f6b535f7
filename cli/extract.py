"""``cryopick extract``: stacks of particles."""

from typing import Annotated

import typer

from . import options
from .bridge import ENGINE, Given, Offer, takes
from .console import ConsoleEvents, say


@takes(
    settings=Offer(
        "cryopick_ray.particles.extract_settings:ExtractSettings",
        but=("invert", "relion_project"),
        calls={
            "out": "--out",
            "resume": "--resume",
            "invert": "--invert",
            "relion_project": "--relion-project",
        },
    ),
    engine=Offer(ENGINE, ("engine", "workers", "address")),
)
def extract(
    settings: Given,
    engine: Given,
    out: Annotated[
        str | None, typer.Option("--out", metavar="DIR", help="Folder for particles.star particles/ parts/.")
    ] = None,
    invert: Annotated[
        bool | None,
        typer.Option(
            "--invert/--no-invert",
            help="Make dark particles white; default: unless a run found them to be bright.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what DIR holds.")] = False,
    relion_project: options.RelionProject = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Cut particles out of micrographs: stacks and a STAR file that RELION classifies.

    DIR then holds particles.star particles/ parts/ extract.json.
    """
    del debug
    from cryopick_ray.engine.open_engine import open_engine
    from cryopick_ray.errors import UsageError
    from cryopick_ray.particles.extract_settings import ExtractSettings
    from cryopick_ray.runs.extracted import extract_particles
    from cryopick_ray.settings.config import fill
    from cryopick_ray.settings.engine_settings import EngineSettings

    if out is None:
        raise UsageError("`out` is missing: give the folder to write to")
    wanted = fill(ExtractSettings, **settings, invert=invert, relion_project=relion_project)
    running = fill(EngineSettings, **engine)
    with ConsoleEvents() as events, open_engine(running, threads=1) as runner:
        outcome = extract_particles(wanted, out, runner, events, resume=resume)
        for note in outcome.notes:
            events.warn(note)
    say(outcome.to_dict(), outcome.text(), as_json=as_json)
    if outcome.failures:
        raise typer.Exit(options.DONE_WITH_FAILURES)
