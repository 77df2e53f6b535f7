"""``cryopick train``: labelled micrographs to a model."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .bridge import Given, takes
from .console import ConsoleEvents, say
from .rooted import rooted

if TYPE_CHECKING:
    from cryopick_ray.runs.learning import LearningSettings
    from cryopick_ray.training.results import TrainingResult
    from cryopick_ray.training.study_table import StudyOutcome


@takes(engine=options.LEARNING)
def train(
    engine: Given,
    config: Annotated[
        Path,
        typer.Argument(metavar="CONFIG", help="YAML file: networks, data, how long. See examples/."),
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

    With several networks each is taught in turn, and study.md compares them on what was left out.

    Stopped or killed, it goes on from the last finished epoch with --resume.
    """
    del debug
    from cryopick_ray.runs.learning import LearningSettings
    from cryopick_ray.settings.config import assigned, fill, read_yaml

    data = rooted(assigned(read_yaml(config), assign or []))
    teach = _study if "networks" in data else _one
    outcome = teach(data, out, fill(LearningSettings, **engine), resume=resume)
    say(outcome.to_dict(), outcome.text(), as_json=as_json)


def _one(data: dict[str, Any], out: Path, learning: "LearningSettings", *, resume: bool) -> "TrainingResult":
    from cryopick_ray.engine.open_engine import open_engine
    from cryopick_ray.runs.learning import train_context
    from cryopick_ray.training.experiment import train as train_all
    from cryopick_ray.training.training_folder import TrainingFolder
    from cryopick_ray.training.training_settings import train_settings

    settings, folder = train_settings(data), TrainingFolder(out)
    with (
        folder.claim(settings, resume=resume),
        ConsoleEvents() as events,
        open_engine(learning.picking, threads=1) as runner,
    ):
        return train_all(settings, folder.path, runner, train_context(learning, settings.precision, events))


def _study(data: dict[str, Any], out: Path, learning: "LearningSettings", *, resume: bool) -> "StudyOutcome":
    from cryopick_ray.engine.open_engine import open_engine
    from cryopick_ray.runs.learning import train_context
    from cryopick_ray.training.study import StudyFolder, run_study, study_settings

    settings, folder = study_settings(data), StudyFolder(out)
    with (
        folder.claim(settings, resume=resume),
        ConsoleEvents() as events,
        open_engine(learning.picking, threads=1) as runner,
    ):
        return run_study(
            settings, folder.path, runner, partial(train_context, learning, events=events), events
        )
