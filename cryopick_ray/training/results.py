"""What a training came to, in numbers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import mean, stdev
from typing import Any

from cryopick_ray.evaluation.score import Score

AVERAGED = ("f1", "best_f1", "auprc")
"""Measures whose mean over several scores is told."""


@dataclass(frozen=True)
class ResultLine:
    """One model's score on one data set's test micrographs.

    Attributes
    ----------
    part
        Which training: empty, or the fold.
    dataset, micrographs
        What was picked.
    score
        Its picks cut at the model's own threshold; F1 at the best one is in it too.
    overlap
        Whether the model had seen a test micrograph in training: such a score proves nothing.
    """

    part: str
    dataset: str
    micrographs: int
    score: Score
    overlap: bool = False


@dataclass(frozen=True)
class Finished:
    """One training that is done.

    Attributes
    ----------
    part
        Its name: empty, or the fold.
    model
        The weights file.
    lines
        Scores on each test data set.
    whole
        The score on all test micrographs together; ``None`` without any.
    seconds
        Of training alone.
    """

    part: str
    model: str
    lines: tuple[ResultLine, ...]
    whole: ResultLine | None
    seconds: float


@dataclass(frozen=True)
class TrainingResult:
    """What ``cryopick train`` ends with.

    Attributes
    ----------
    models
        Weights files, one for each fold.
    lines
        Scores on test micrographs.
    seconds
        Wall-clock seconds of training alone, picking and reports apart.
    """

    models: tuple[str, ...]
    lines: tuple[ResultLine, ...]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        return asdict(self)

    def text(self) -> str:
        """Return a table for a terminal."""
        text = [f"model {path}" for path in self.models]
        text.append(f"trained for {self.seconds:.0f} s")
        if self.lines:
            text += score_table(self.lines)
        return "\n".join(text)


def score_table(lines: Sequence[ResultLine]) -> list[str]:
    """Return the lines of a table of scores; of several, mean and standard deviation last."""
    names = [f"{line.part} {line.dataset}".strip() for line in lines]
    width = max(len(name) for name in [*names, "mean +- s.d."])
    heads = ("particles", "precision", "recall", "f1", "best f1", "auprc")
    rows = [" ".join([" " * width, *(f"{head:>9}" for head in heads)])]
    for name, line in zip(names, lines, strict=True):
        one = line.score
        numbers = (one.precision, one.recall, one.f1, one.best_f1, one.auprc)
        cells = [f"{one.n_truth:>9}", *(f"{_number(number):>9}" for number in numbers)]
        rows.append(" ".join([f"{name:{width}}", *cells]) + ("  seen in training" if line.overlap else ""))
    if len(lines) > 1:
        averages = [average([line.score for line in lines], name) for name in AVERAGED]
        spreads = [f"{_number(middle)}+-{_number(spread)}" for middle, spread in averages]
        rows.append(" ".join([f"{'mean +- s.d.':{width}}", " " * 29, *spreads]))
    return rows


def average(scores: Sequence[Score], name: str) -> tuple[float | None, float | None]:
    """Return mean and standard deviation of a measure, an undefined one counting as 0."""
    values = [0.0 if (value := getattr(score, name)) is None else float(value) for score in scores]
    return mean(values) if values else None, stdev(values) if len(values) > 1 else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
