"""``cryopick classify2d``: averages of particles that look alike, and which of them are worth keeping."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from . import options
from .bridge import ENGINE, Given, Offer, takes
from .console import ConsoleEvents, say
from .spelling import tell


@takes(
    settings=Offer(
        "cryopick_ray.particles.classes.classification_settings:ClassSettings",
        but=("particles",),
        calls={"particles": "PARTICLES"},
    ),
    engine=Offer(ENGINE, ("engine", "workers", "device", "address")),
)
def classify2d(
    settings: Given,
    engine: Given,
    particles: Annotated[
        Path,
        typer.Argument(metavar="PARTICLES", help="STAR file of particles with images.", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of what is made.")],
    keep: Annotated[
        Literal["good", "doubtful"] | None,
        typer.Option(
            "--keep", help="The worst classes whose particles go into kept.star.", show_default=False
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what DIR holds.")] = False,
    threads: Annotated[int, typer.Option("--threads", metavar="N", help="Of RELION.", min=1)] = 1,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Classify particles in two dimensions and tell good classes from junk.

    DIR then holds run_itNNN_data.star, run_itNNN_classes.mrcs and run_itNNN_model.star as RELION makes them,
    classes.html, classes.json, and classes.csv for `cryopick table --classes`.
    """
    del debug
    from cryopick_ray.engine.open_engine import open_engine
    from cryopick_ray.particles.classes.classification_settings import ClassSettings
    from cryopick_ray.runs.classified import classify2d as run
    from cryopick_ray.settings.config import fill
    from cryopick_ray.settings.engine_settings import EngineSettings

    wanted = fill(ClassSettings, **settings, particles=particles.absolute())
    running = fill(EngineSettings, **engine)
    with ConsoleEvents() as events, open_engine(running, threads=1) as runner:
        outcome = run(
            wanted, out.absolute(), runner, events,
            device=running.device, threads=threads, resume=resume, keep=keep,
        )  # fmt: skip
    for note in outcome.notes:
        tell(note)
    say(outcome.to_dict(), outcome.text(), as_json=as_json)
