"""What a training leaves for people, beside the model: a summary and a report."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryopick_ray import __version__
from cryopick_ray.evaluation.score import Score
from cryopick_ray.plain_data import read_json
from cryopick_ray.store.publish import write_whole
from cryopick_ray.training.results import Finished, ResultLine
from cryopick_ray.training.scored import ranking, score
from cryopick_ray.training.train_model import Trained
from cryopick_ray.training.training_report import TrainingReport, render_training_report, scored_thumbnails
from cryopick_ray.training.training_settings import LearnSettings

MAX_SUMMARY_BYTES = 2**26


def write_training(settings: LearnSettings, trained: Trained, folder: Path, part: str) -> Finished:
    """Write ``report.html`` and ``summary.json`` of one model into its folder; return what is kept."""
    lines = trained.lines(part)
    whole = _whole(trained, part, lines) if lines else None
    summary = {
        "version": __version__,
        "model": str(trained.path),
        "card": trained.card.model_dump(mode="json"),
        "epochs": [asdict(one) for one in trained.history],
        "test": [asdict(line) for line in lines],
        "whole": asdict(whole) if whole else None,
        "seconds": trained.seconds,
        "settings": settings.model_dump(mode="json"),
    }
    write_whole(folder / "report.html", render_training_report(_report(settings, trained, part)))
    write_whole(folder / "summary.json", json.dumps(summary, indent=1))
    return Finished(part, str(trained.path), tuple(lines), whole, trained.seconds)


def kept_training(settings: LearnSettings, folder: Path, part: str) -> Finished | None:
    """Return what :func:`write_training` kept; ``None`` if it is not there, or of other settings."""
    try:
        kept = read_json(folder / "summary.json", MAX_SUMMARY_BYTES)
        model = folder / Path(kept["model"]).name
        if kept["settings"] != settings.model_dump(mode="json") or not model.is_file():
            return None
        whole = kept["whole"] and _line(kept["whole"])
        return Finished(part, str(model), tuple(map(_line, kept["test"])), whole, kept["seconds"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # what is damaged is made again
        return None


def _whole(trained: Trained, part: str, lines: Sequence[ResultLine]) -> ResultLine:
    """Return the score on the test micrographs of all data sets together."""
    measured = score(trained.test, trained.card.threshold)
    return ResultLine(part, "", len(trained.test), measured, any(line.overlap for line in lines))


def _line(kept: dict[str, Any]) -> ResultLine:
    return ResultLine(**{**kept, "score": Score(**kept["score"])})


def _report(settings: LearnSettings, trained: Trained, part: str) -> TrainingReport:
    threshold = math.inf if trained.card.threshold is None else trained.card.threshold
    parts = [("validation", trained.validation), *trained.tests()]
    return TrainingReport(
        title=f"{trained.card.name} {part}".strip(),
        version=__version__,
        generated=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        settings={
            **settings.model_dump(mode="json"),
            "card": {
                **trained.card.model_dump(mode="json"),
                "trained_on": "; ".join(trained.card.trained_on.lines()),
            },
        },
        history=trained.history,
        curves=[(name, ranking(scored)) for name, scored in parts],
        lines=trained.lines(part),
        threshold=threshold,
        best_epoch=trained.best_epoch,
        thumbnails=scored_thumbnails(parts, threshold),
        seconds={"training": trained.seconds},
    )
