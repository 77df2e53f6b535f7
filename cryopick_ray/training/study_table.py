"""What a study came to: one row for each training, and the table by what was left out."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from cryopick_ray import __version__
from cryopick_ray.evaluation.score import Score
from cryopick_ray.settings.base import Settings
from cryopick_ray.store.publish import write_whole
from cryopick_ray.training.results import Finished, average

WITHOUT = "without-"
SHOWN = ("f1", "best_f1", "auprc")
MEASURES = ("precision", "recall", *SHOWN, "best_threshold", "centring_error", "picks_per_particle")
ABOUT = (
    "F1 at the model's own threshold / F1 at the best one / AUPRC, of all micrographs of what was left out "
    "together; last the mean over what was left out."
)


@dataclass(frozen=True)
class StudyRow:
    """One training: a network, and how it does on what it was not shown.

    Attributes
    ----------
    network, left_out
        Who learned, and without what.
    micrographs
        How many tested it.
    score
        Of all of them together; ``None`` if nothing was kept apart.
    seconds
        Of the training alone.
    model
        The weights.
    """

    network: str
    left_out: str
    micrographs: int
    score: Score | None
    seconds: float
    model: str

    @classmethod
    def of(cls, network: str, finished: Finished) -> Self:
        """Return the row of a finished training."""
        return cls(
            network,
            finished.part.removeprefix(WITHOUT),
            finished.whole.micrographs if finished.whole else 0,
            finished.whole.score if finished.whole else None,
            finished.seconds,
            finished.model,
        )


@dataclass(frozen=True)
class StudyOutcome:
    """All rows of a study, as far as it has come.

    Attributes
    ----------
    folder
        Holds ``study.md``, ``study.csv``, ``study.json`` and the models.
    """

    folder: Path
    rows: tuple[StudyRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {"version": __version__, "about": ABOUT, "rows": [asdict(row) for row in self.rows]}

    def text(self) -> str:
        """Return the table for a terminal."""
        table = _cells(self.rows)
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in table]
        seconds = sum(row.seconds for row in self.rows)
        return "\n".join([*lines, "", f"trained for {seconds:.0f} s", f"table {self.folder / 'study.md'}"])

    def write(self, settings: Settings) -> None:
        """Write the table for people, for spreadsheets and for programs."""
        kept = self.to_dict() | {"settings": settings.model_dump(mode="json")}
        write_whole(self.folder / "study.json", json.dumps(kept, indent=1))
        write_whole(self.folder / "study.csv", to_csv(self.rows))
        write_whole(self.folder / "study.md", to_markdown(self.rows))


def to_csv(rows: Sequence[StudyRow]) -> str:
    """Return a line for each training; what is not defined is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["network", "left_out", "micrographs", "particles", *MEASURES, "training_s"])
    for row in rows:
        score = [getattr(row.score, name, None) for name in ("n_truth", *MEASURES)]
        writer.writerow([row.network, row.left_out, row.micrographs, *score, f"{row.seconds:.1f}"])
    return text.getvalue()


def to_markdown(rows: Sequence[StudyRow]) -> str:
    """Return the table by what was left out, a column for each network."""
    head, *lines = (f"| {' | '.join(line)} |" for line in _cells(rows))
    rule = "|" + "---|" * head.count(" | ") + "---|"
    return "\n".join([ABOUT, "", head, rule, *lines]) + "\n"


def _cells(rows: Sequence[StudyRow]) -> list[list[str]]:
    """Return the lines of the table, its head first and the means last."""
    networks = list(dict.fromkeys(row.network for row in rows))
    known = {(row.network, row.left_out): row.score for row in rows}
    lines = [
        [part, *(_cell(known.get((network, part))) for network in networks)]
        for part in dict.fromkeys(row.left_out for row in rows)
    ]
    context = [
        _mean([row.score for row in rows if row.network == network and row.score]) for network in networks
    ]
    return [["left out", *networks], *lines, ["mean", *context]]


def _cell(score: Score | None) -> str:
    return "-" if score is None else _numbers([getattr(score, name) for name in SHOWN])


def _mean(scores: Sequence[Score]) -> str:
    return _numbers([average(scores, name)[0] for name in SHOWN]) if scores else "-"


def _numbers(values: Sequence[float | None]) -> str:
    return " / ".join("-" if value is None else f"{value:.3f}" for value in values)
