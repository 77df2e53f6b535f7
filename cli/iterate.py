"""``cryopick iterate``: a run cleans its picks by classes, learns from them and picks again."""

from typing import Annotated

import typer

from . import options
from .bridge import Given, takes
from .console import ConsoleEvents, say


@takes(engine=options.LEARNING)
def iterate(
    engine: Given,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder of rounds and the last table.")],
    rounds: Annotated[
        int,
        typer.Option(
            "--rounds",
            metavar="N",
            min=1,
            max=20,
            help="How often it learns at most; it stops where that helps no more.",
        ),
    ] = 2,
    classes: Annotated[
        int | None,
        typer.Option(
            "--classes", metavar="K", min=2, help="Classes of a look; default: by the number of picks."
        ),
    ] = None,
    assign: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Of the training, such as epochs=5 or seed=1."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what DIR holds.")] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Clean a run's picks by 2-D classes, teach its model with them, pick again; no person, no labels.

    DIR then holds round-N/ with particles/ classes/ table/ run/, and iterate.json; the last table holds the
    picks of the last model that lie in no junk class.
    """
    del debug
    from cryopick_ray.runs.iteration import iterate as go
    from cryopick_ray.runs.iteration_settings import IterateSettings
    from cryopick_ray.runs.learning import LearningSettings
    from cryopick_ray.settings.config import fill

    learning = fill(LearningSettings, **engine)
    wanted = fill(IterateSettings, rounds=rounds, classes=classes, assignments=tuple(assign or ()))
    with ConsoleEvents() as events:
        done = go(run, out, wanted, learning, events, resume=resume)
    say(done.to_dict(), done.text(), as_json=as_json)
