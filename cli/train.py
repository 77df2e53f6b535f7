"""``cryopick train``: labelled micrographs to a model."""

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .bridge import Given, takes
from .console import ConsoleEvents, say
from .rooted import rooted


@takes(engine=options.LEARNING)
def train(
    engine: Given,
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="YAML file: network, data, how long. See examples/.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the model and its report.")],
    assign: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any setting, such as epochs=5 or options.base=16."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the training in DIR from its last epoch.")
    ] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Train a picker's network; DIR then holds the model, its card, checkpoints, log.csv and report.html.

    Stopped or killed, it goes on from the last finished epoch with --resume.
    """
    del debug
    from cryopick_ray.config import assigned, fill, read_yaml
    from cryopick_ray.engine.choice import open_engine
    from cryopick_ray.runs.learning import LearningSettings, means
    from cryopick_ray.training.folder import TrainingFolder
    from cryopick_ray.training.recipes import train as train_all
    from cryopick_ray.training.settings import train_settings

    settings = train_settings(rooted(assigned(read_yaml(config), assign or [])))
    learning = fill(LearningSettings, **engine)
    folder = TrainingFolder(out)
    with (
        folder.claim(settings, resume=resume),
        ConsoleEvents() as events,
        open_engine(learning.picking, threads=1) as runner,
    ):
        outcome = train_all(settings, folder.path, runner, means(learning, settings.precision, events))
    say(outcome.to_dict(), outcome.text(), as_json=as_json)
