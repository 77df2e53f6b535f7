"""``cryopick self-train``: picks of a run's micrographs teach its model more; then it picks again."""

from typing import Annotated

import typer

from . import options
from .bridge import Given, takes
from .console import ConsoleEvents, say


@takes(engine=options.LEARNING)
def self_train(
    engine: Given,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Folder of the new run, its model in it.")],
    teacher: Annotated[
        str | None,
        typer.Option(
            "--teacher",
            metavar="MODEL|self|TABLE",
            help="Whose picks are the labels, or a table or run that holds them, such as a consensus; "
            "default: the default model, or self if the run is its.",
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option("--preset", metavar="deeppicker|deepem", help="Learn as the network's paper has it."),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            "--rounds",
            metavar="N",
            help="Rounds at most; the first that helps no more is the last. Default: 3.",
        ),
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(
            "--share", metavar="X", help="Part of the picks, best first, to learn from. Default: 0.85."
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option("--top", metavar="N", help="How many picks to learn from at most. Default: 10000."),
    ] = None,
    assign: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Of the training, such as epochs=5 or seed=1."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what DIR holds.")] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Train a run's model on a teacher's best picks and pick the same micrographs again; no labels needed.

    DIR then holds a run like any other, DIR/training the new model with its report, and DIR/teacher the
    teacher's run. If no student is better on held-back micrographs than the model that began, DIR keeps that
    one and says so.
    """
    del debug
    from cryopick_ray.runs.api import self_train as train_itself
    from cryopick_ray.runs.learning import LearningSettings
    from cryopick_ray.settings.config import fill

    learning = fill(LearningSettings, **engine)
    with ConsoleEvents() as events:
        summary = train_itself(
            run,
            out,
            teacher=teacher,
            preset=preset,
            rounds=rounds,
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
