"""``cryopick teach``: a few marks of a person teach a run's model its data set."""

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .bridge import Given, takes
from .console import ConsoleEvents, say


@takes(engine=options.TEACHING)
def teach(
    engine: Given,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder of the model and of its picks.")],
    curation: Annotated[
        list[Path],
        typer.Option(
            "--curation",
            metavar="FILE|DIR",
            help="CSV of people's decisions, or a folder of it: what they added or kept is a particle, what "
            "they removed or painted as junk is none; may be repeated.",
        ),
    ],
    micrographs: Annotated[
        list[str] | None,
        typer.Option(
            "--micrographs",
            metavar="ID",
            help="Pick this one with what was learned, to look at; repeatable. Default: those with marks.",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="Equal seeds give equal models.")
    ] = 0,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Teach a run's model from ten particles and ten wrong places that a person marked, in about a minute.

    DIR then holds model.safetensors for cryopick run --model, teach.json, and table/ with the new picks of
    the micrographs to look at. Marks are held back in turn to tell whether it helped; if not, it says so and
    the model stays as it was.
    """
    del debug
    from cryopick_ray.runs.learning import TeachingSettings
    from cryopick_ray.runs.teach import teach as go
    from cryopick_ray.runs.teaching import TeachSettings
    from cryopick_ray.settings.config import fill

    learning = fill(TeachingSettings, **engine)
    settings = fill(TeachSettings, curation=curation, micrographs=micrographs or [], seed=seed)
    with ConsoleEvents() as events:
        done = go(run, out, settings, learning, events)
    say(done.to_dict(), done.text(), as_json=as_json)
