"""The loss curves as a table anyone can read: ``log.csv`` in the training's folder."""

import csv
from collections.abc import Sequence
from pathlib import Path

from cryopick_ray.errors import TrainingError, brief
from cryopick_ray.store.publish import published
from cryopick_ray.training.loop.loop import Epoch

LOG = "log.csv"
COLUMNS = (
    "epoch",
    "train_loss",
    "validation_loss",
    "learning_rate",
    "seconds",
    "examples_per_s",
    "workers",
)


def write_log(folder: Path, history: Sequence[Epoch]) -> None:
    """Write all epochs, whole or not at all; an absent validation loss is an empty field."""
    with published(folder / LOG) as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for one in history:
            table.writerow(
                [
                    one.epoch,
                    one.train_loss,
                    one.validation_loss,
                    one.learning_rate,
                    one.seconds,
                    one.examples / one.seconds,
                    one.workers,
                ]
            )


def read_log(folder: Path) -> tuple[Epoch, ...]:
    """Return the epochs in the log of ``folder``; none if there is no log.

    Raises
    ------
    TrainingError
        If the file is not such a log.
    """
    path = folder / LOG
    if not path.exists():
        return ()
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(_epoch(row) for row in csv.DictReader(file, strict=True))
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise TrainingError(
            f"{path} is not a log of a training ({brief(error)}); delete it: it is written again"
        ) from error


def _epoch(row: dict[str, str]) -> Epoch:
    seconds = float(row["seconds"])
    return Epoch(
        epoch=int(row["epoch"]),
        train_loss=float(row["train_loss"]),
        validation_loss=float(row["validation_loss"]) if row["validation_loss"] else None,
        learning_rate=float(row["learning_rate"]),
        seconds=seconds,
        examples=round(float(row["examples_per_s"]) * seconds),
        workers=int(row["workers"]),
    )
