"""``cryopick evaluate``: picks against truth, or many models against each other."""

import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from . import options
from .bridge import ENGINE, Given, Offer, takes
from .console import ConsoleEvents, say
from .rooted import rooted

SUITE = "Comparing models"


@takes(engine=Offer(ENGINE))
def evaluate(
    engine: Given,
    picks: Annotated[
        str | None,
        typer.Argument(
            metavar="PICKS", help="A run or a table, or coordinates of any program.", show_default=False
        ),
    ] = None,
    truth: Annotated[
        str | None,
        typer.Option("--truth", metavar="DIR", help="Coordinates of any program, or a run or a table."),
    ] = None,
    radius: Annotated[
        float | None,
        typer.Option("--radius", metavar="A", help="A pick this near is a hit; default: half a diameter."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="GLOB", help="Leave out such micrographs; may be repeated."),
    ] = None,
    pixel_size: Annotated[
        float | None,
        typer.Option("--pixel-size", metavar="A", help="Of the micrographs, where PICKS do not say."),
    ] = None,
    suite: Annotated[
        Path | None,
        typer.Option(
            "--suite", metavar="FILE", rich_help_panel=SUITE, help="YAML file of models and data sets."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", rich_help_panel=SUITE, help="Folder for the table and all picks."
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="M",
            rich_help_panel=SUITE,
            help="Only this one, named as in FILE or as for run; may be repeated; default: all of FILE.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", rich_help_panel=SUITE, help="Go on in DIR; finished work is not done again."
        ),
    ] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Score picks: one-to-one matching, greedy by score; precision, recall, F1, AUPRC, best threshold.

    Filaments are scored by length, with their breaks, false joins and errors of direction.

    With --suite: pick data sets with many models, and put their scores into one table and one page.
    """
    del debug
    from cryopick_ray.errors import UsageError

    if suite is None:
        if picks is None or truth is None:
            raise UsageError("expected PICKS and --truth DIR, or --suite FILE; one of them is missing")
        if out or model or resume:
            raise UsageError("--out, --model and --resume go with --suite FILE; leave them out")
        _score(picks, truth, radius, exclude or [], pixel_size, as_json=as_json)
        return
    if picks or truth or radius or exclude or pixel_size:
        raise UsageError(
            "the file of --suite says what is scored; leave PICKS, --truth, --radius, --exclude, "
            "--pixel-size out"
        )
    if out is None:
        raise UsageError("--out is missing: give the folder for the table and all picks")
    _compare(suite, out.absolute(), model or [], engine, resume=resume, as_json=as_json)


def _score(
    picks: str,
    truth: str,
    radius_A: float | None,
    exclude: list[str],
    pixel_size_A: float | None,
    *,
    as_json: bool,
) -> None:
    from cryopick_ray.runs.read_run import evaluate as score

    found = score(picks, truth, radius_A=radius_A, exclude=exclude, pixel_size_A=pixel_size_A)
    outcome = found.to_dict()
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    say(outcome, _text(outcome, width), as_json=as_json)


def _compare(suite: Path, out: Path, models: list[str], given: Given, *, resume: bool, as_json: bool) -> None:
    from cryopick_ray.engine.open_engine import open_engine
    from cryopick_ray.settings.config import fill, read_yaml
    from cryopick_ray.settings.engine_settings import EngineSettings
    from cryopick_ray.suite.suite_settings import suite_settings
    from cryopick_ray.suite.whole_suite import claim, run_suite

    data = read_yaml(suite)
    settings = suite_settings(_rooted(data | _chosen(data, models)))
    engine = fill(EngineSettings, **given)
    with (
        claim(out, settings, resume=resume),
        ConsoleEvents() as events,
        open_engine(engine, threads=1) as runner,
    ):
        outcome = run_suite(settings, out, runner, engine.device, events)
    say(outcome.to_dict(), outcome.text(), as_json=as_json)
    if outcome.failed:
        raise typer.Exit(options.DONE_WITH_FAILURES)


def _chosen(data: dict[str, Any], models: list[str]) -> dict[str, Any]:
    """Return the models that a person asked for; a group of seeds goes by its name."""
    if not models:
        return {}
    listed = data.get("models")
    groups = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    named = {str(group.get("name")): group for group in groups}
    chosen = [named.get(name, name) for name in models]
    return {"models": [_alone(one, models) if isinstance(one, dict) else one for one in chosen]}


def _alone(group: dict[str, Any], chosen: list[str]) -> dict[str, Any]:
    """Return a group that names no model which was not asked for."""
    return {name: value for name, value in group.items() if name != "after" or value in chosen}


def _rooted(data: dict[str, Any]) -> dict[str, Any]:
    """Return settings whose paths mean the same from any folder."""
    data = rooted(data)
    models = data.get("models")
    for name in ("empty", "unlabelled"):
        if isinstance(sets := data.get(name), list):
            data = data | {name: [rooted({_kind(one): [one]})[_kind(one)][0] for one in sets]}
    if isinstance(models, list):
        data = data | {"models": [_with_files(model) for model in models]}
    return data


def _kind(one: Any) -> str:
    return "simulated" if isinstance(one, dict) and "molecules" in one else "data"


def _with_files(model: Any) -> Any:
    from cryopick_ray.settings.config import absolute_model

    if isinstance(model, str):
        return absolute_model(model)
    if isinstance(model, dict) and isinstance(model.get("seeds"), list):
        return model | {"seeds": [absolute_model(str(one)) for one in model["seeds"]]}
    return model


COLUMNS = {
    "n_truth": "truth",
    "n_picks": "picks",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "best_f1": "best F1",
    "best_threshold": "from",
    "auprc": "AUPRC",
}
OF_FILAMENTS = {
    "n_truth": "truth",
    "n_found": "found",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "best_f1": "best F1",
    "best_threshold": "from",
    "auprc": "AUPRC",
    "breaks": "breaks",
    "false_joins": "false joins",
    "bridges": "bridges",
    "crossings": "crossings",
    "angle_deg": "off deg",
    "angle_90_deg": "90 %",
    "offset": "off axis",
}
SHORTEST_NAME = 12


def _text(outcome: dict[str, Any], width: int) -> str:
    """Return a table no wider than the terminal: names are shortened in the middle, numbers never."""
    lines = [(one["micrograph_id"], one["score"]) for one in outcome["micrographs"]]
    columns = COLUMNS if "n_picks" in outcome["pooled"] else OF_FILAMENTS
    rows = [
        (name, *(_number(score[column]) for column in columns))
        for name, score in [*lines, ("all", outcome["pooled"])]
    ]
    rows.insert(0, ("", *columns.values()))
    names, *numbers = (max(map(len, column)) for column in zip(*rows, strict=True))
    room = max(SHORTEST_NAME, width - sum(number + 2 for number in numbers))
    table = [
        "  ".join(
            [
                _shortened(name, room).ljust(min(names, room)),
                *(cell.rjust(number) for cell, number in zip(cells, numbers, strict=True)),
            ]
        )
        for name, *cells in rows
    ]
    return "\n".join([*table, *_reliability(outcome.get("reliability")), *outcome["notes"]])


def _reliability(found: dict[str, Any] | None) -> list[str]:
    """Return the calibration error, and the reliability curve as a table."""
    if found is None:
        return []
    some, every = _number(found["ece"]), _number(found["ece_all"])
    lines = [
        f"{one['mean_score']:>6.3f}  {one['share_true']:>6.3f}  {one['count']:>10}" for one in found["bins"]
    ]
    return [
        "",
        f"calibration error {some} from a score of 0.05 on, {every} of all candidates",
        f"{'score':>6}  {'true':>6}  {'candidates':>10}",
        *lines,
        "",
    ]


def _shortened(name: str, room: int) -> str:
    if len(name) <= room:
        return name
    head = (room - 1) // 2
    return f"{name[:head]}…{name[len(name) - (room - 1 - head) :]}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
