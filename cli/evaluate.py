"""``cryopick evaluate``: picks against truth."""

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options
from .console import say


def evaluate(
    picks: Annotated[Path, typer.Argument(metavar="PICKS", help="Folder of a run or a table.")],
    truth: Annotated[
        Path,
        typer.Option(
            "--truth", metavar="DIR", help="Folder of .star or .box files named after the micrographs."
        ),
    ],
    radius: Annotated[
        float | None,
        typer.Option("--radius", metavar="A", help="A pick this near is a hit; default: half a diameter."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="GLOB", help="Leave out such micrographs; may be repeated."),
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Score picks: one-to-one matching, greedy by score; precision, recall, F1, AUPRC, best threshold."""
    del debug
    from cryopick_ray.evaluation.evaluate import evaluate as score
    from cryopick_ray.evaluation.truth import read_truth
    from cryopick_ray.picks.table import open_table

    outcome = score(open_table(picks), read_truth(truth), radius_A=radius, exclude=exclude or []).to_dict()
    say(outcome, _text(outcome), as_json=as_json)


def _text(outcome: dict[str, Any]) -> str:
    columns = ("n_truth", "n_picks", "precision", "recall", "f1", "best_f1", "best_threshold", "auprc")
    rows = [(line["micrograph_id"], line["score"]) for line in outcome["micrographs"]]
    rows.append(("all", outcome["pooled"]))
    width = max(len(name) for name, _ in rows)
    lines = [" ".join([" " * width, *(f"{column:>9.9}" for column in columns)])]
    lines += [
        " ".join([f"{name:{width}}", *(f"{_number(score[column]):>9}" for column in columns)])
        for name, score in rows
    ]
    return "\n".join([*lines, *outcome["notes"]])


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
