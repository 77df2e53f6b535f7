"""What a training leaves for people, beside the model: a summary and a report."""

import json
import math
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from cryopick_ray import __version__
from cryopick_ray.store.publish import write_whole
from cryopick_ray.training.course import Trained
from cryopick_ray.training.report import TrainingReport, render_training_report, tried_thumbnails
from cryopick_ray.training.settings import LearnSettings
from cryopick_ray.training.trial import ranking


def write_training(settings: LearnSettings, trained: Trained, folder: Path, part: str) -> None:
    """Write ``summary.json`` and ``report.html`` of one model into its folder."""
    summary = {
        "version": __version__,
        "model": str(trained.path),
        "card": trained.card.model_dump(mode="json"),
        "epochs": [asdict(one) for one in trained.history],
        "test": [asdict(line) for line in trained.lines(part)],
        "seconds": trained.seconds,
        "settings": settings.model_dump(mode="json"),
    }
    write_whole(folder / "summary.json", json.dumps(summary, indent=1))
    write_whole(folder / "report.html", render_training_report(_report(settings, trained, part)))


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
        curves=[(name, ranking(tried)) for name, tried in parts],
        lines=trained.lines(part),
        threshold=threshold,
        best_epoch=trained.best_epoch,
        thumbnails=tried_thumbnails(parts, threshold),
        seconds={"training": trained.seconds},
    )
