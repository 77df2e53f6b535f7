"""``cryopick refine``: a run's own picks teach its model more; then it picks again."""

from typing import Annotated

import typer

from . import options
from .console import ConsoleEvents, say
from .learning import learning_options, means


def refine(
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
    engine: options.EngineName = None,
    workers: options.TrainWorkers = None,
    threads: options.TrainThreads = None,
    device: options.Device = None,
    address: options.Address = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what DIR holds.")] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Train a run's model on its own best picks and pick the same micrographs again; no labels needed.

    DIR then holds a run like any other, and DIR/training the new model with its report.
    """
    del debug
    from cryopick_ray.engine.choice import open_engine
    from cryopick_ray.runs.folder import RunFolder
    from cryopick_ray.runs.pipeline import Timings, plan_again, run_on
    from cryopick_ray.runs.results import write_results
    from cryopick_ray.runs.self_training import own_split, refine_settings, share_store, teach
    from cryopick_ray.store.claim import local_folder
    from cryopick_ray.training.folder import TrainingFolder

    first, second, timings = RunFolder(local_folder(run)), RunFolder(local_folder(out)), Timings()
    old = first.settings()
    learn, start = refine_settings(old, assign or [], share=share, top=top)
    split = own_split(first, learn)
    learning = learning_options(engine, workers, threads, device, address)
    training = TrainingFolder(second.path / "training")
    new = {
        "model": str(training.path / f"{learn.name}.safetensors"),
        "particle_px": None,
        "threshold": "auto",
    }
    settings = old.model_copy(update=new | {"engine": learning.engine})
    with second.claim(settings, resume=resume), ConsoleEvents() as events:
        share_store(first, second)
        with open_engine(learning.engine, threads=settings.threads) as runner:
            with training.claim(learn, resume=resume), timings.stage("train"):
                teach(split, start, training.path, learn, means(learning, learn.precision, events))
            digest, thresholds = run_on(
                runner, plan_again(settings, settings.engine), second, events, timings
            )
        summary = write_results(settings, second, digest, thresholds, timings.seconds)
    say(summary.to_dict(), summary.text(), as_json=as_json)
    if summary.failures:
        raise typer.Exit(options.DONE_WITH_FAILURES)
