"""``cryopick refine``: a run's own picks teach its model more; then it picks again."""

from typing import Annotated

import typer

from . import options
from .bridge import Given, takes
from .console import ConsoleEvents, say


@takes(engine=options.LEARNING)
def refine(
    engine: Given,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder of the new run, its model in it.")],
    share: Annotated[
        float, typer.Option("--share", min=0.05, max=1, help="Part of the picks, best first, to learn from.")
    ] = 0.85,
    top: Annotated[int, typer.Option("--top", min=1, help="How many picks to learn from at most.")] = 10_000,
    assign: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Of the training, such as epochs=5 or seed=1."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what DIR holds.")] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Train a run's model on its own best picks and pick the same micrographs again; no labels needed.

    DIR then holds a run like any other, and DIR/training the new model with its report.
    """
    del debug
    from cryopick_ray.config import fill
    from cryopick_ray.runs.api import refine as refine_run
    from cryopick_ray.runs.learning import LearningSettings

    learning = fill(LearningSettings, **engine)
    with ConsoleEvents() as events:
        summary = refine_run(
            run,
            out,
            share=share,
            top=top,
            assignments=assign or [],
            engine=learning,
            resume=resume,
            events=events,
        )
    say(summary.to_dict(), summary.text(), as_json=as_json)
    if summary.failures:
        raise typer.Exit(options.DONE_WITH_FAILURES)
