"""How a run looks: bars on a terminal, plain lines when piped, JSON where a program listens."""

import contextlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from cryopick_ray.engine.events import MICROGRAPHS
from cryopick_ray.engine.unit import UnitReport

from .spelling import in_options

if TYPE_CHECKING:
    from cryopick_ray.training.loop.loop import Epoch

FAILURES_SHOWN = 20
PLAIN_SECONDS = 10.0
BARS, BARS_SHOWN = "▁▂▃▄▅▆▇█", 40


@dataclass
class _Stage:
    """One bar: what is to be done, was done before, and is done now."""

    bar: TaskID
    total: int = 0
    before: int = 0
    done: int = 0
    failed: int = 0
    candidates: int = 0
    spoke: float = 0.0

    @property
    def extra(self) -> str:
        """Return what stands beside the bar."""
        parts = (
            f"{self.candidates} candidates" if self.candidates else "",
            f"{self.before} already done" if self.before else "",
        )
        return ", ".join(filter(None, parts))


class ConsoleEvents:
    """Shows a run's events.

    Parameters
    ----------
    stderr
        On standard error, so that standard output stays the program's; else where all output goes.
    """

    def __init__(self, *, stderr: bool = True) -> None:
        self._stream = sys.stderr if stderr else sys.stdout
        self._console = Console(file=self._stream, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description:8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[extra]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._stream.isatty(),
        )
        self._stray = contextlib.ExitStack()  # Ray prints notices of its own to standard output
        self._stages: dict[str, _Stage] = {}
        self._epoch: TaskID | None = None
        self._spoke = 0.0
        self._losses: list[float] = []
        self._remarked: set[str] = set()

    def __enter__(self) -> Self:
        """Start showing."""
        self._stray.enter_context(contextlib.redirect_stdout(self._stream))
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """Stop showing."""
        self._progress.stop()
        self._stray.close()

    def stage(self, name: str, total: int, done: int = 0, of: str = MICROGRAPHS) -> None:
        """Begin a bar, or change how long it is; one that was at its end begins anew."""
        known = self._stages.get(name)
        if known is None or known.done + known.before >= known.total:
            known = _Stage(self._progress.add_task(name, total=total, extra=""))
            self._stages[name] = known
            what = f"{total} {of}" if total > done else "nothing left to do"
            self._plain(name, f"{what}, {done} already done" if done else what)
        known.total, known.before = total, done
        self._show(known)

    def report(self, name: str, report: UnitReport) -> None:
        """Move a bar."""
        for text in report.notes:
            self.note(text)
        for micrograph_id, text in report.remarks:
            if text not in self._remarked:
                self._remarked.add(text)
                self.warn(f"{micrograph_id}: {text}")
        if (stage := self._stages.get(name)) is None:
            return
        stage.done += report.complete + len(report.failures)
        stage.candidates += report.candidates
        for micrograph_id, reason in report.failures:
            stage.failed += 1
            if stage.failed <= FAILURES_SHOWN:
                self.note(f"failed: {micrograph_id}: {reason}")
        self._show(stage)
        at = stage.before + stage.done
        if at == stage.total or time.monotonic() - stage.spoke > PLAIN_SECONDS:
            stage.spoke = time.monotonic()
            self._plain(name, ", ".join(filter(None, (f"{at} of {stage.total}", stage.extra))))

    def steps(self, epoch: int, done: int, total: int) -> None:
        """Move the bar of an epoch under way."""
        if self._epoch is None:
            self._epoch = self._progress.add_task(f"epoch {epoch}", total=total, extra="steps")
        self._progress.update(self._epoch, completed=done)
        if time.monotonic() - self._spoke > PLAIN_SECONDS:
            self._spoke = time.monotonic()
            self._plain(f"epoch {epoch}", f"{done} of {total} steps")

    def epoch(self, epoch: "Epoch") -> None:
        """Show a finished epoch, and the losses that were shown so far as a small curve."""
        if self._epoch is not None:
            self._progress.remove_task(self._epoch)
            self._epoch = None
        if epoch.epoch <= len(self._losses):
            self._losses.clear()  # another training
        shown = epoch.train_loss if epoch.validation_loss is None else epoch.validation_loss
        self._losses.append(shown)
        validation = "" if epoch.validation_loss is None else f"  validation {epoch.validation_loss:.4g}"
        is_lowest = epoch.validation_loss is not None and shown <= min(self._losses)
        rate = f"{epoch.examples / epoch.seconds:.0f} examples/s"
        self.note(
            f"epoch {epoch.epoch:3}  loss {epoch.train_loss:.4g}{validation}  {rate}  "
            f"{sparkline(self._losses)}{'  lowest' if is_lowest else ''}"
        )

    def note(self, text: str) -> None:
        """Say something above the bar."""
        self._console.print(in_options(text), markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Say what is doubted, so that it is seen."""
        self.note(f"warning: {text}")

    def _show(self, stage: _Stage) -> None:
        at = stage.before + stage.done
        self._progress.update(stage.bar, total=stage.total, completed=at, extra=stage.extra)

    def _plain(self, name: str, text: str) -> None:
        if self._progress.disable:
            self.note(f"{name}: {text}")


def sparkline(values: Sequence[float]) -> str:
    """Return up to the last 40 values as a row of bars, the lowest lowest."""
    shown = values[-BARS_SHOWN:]
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join(BARS[min(int((value - low) / span * len(BARS)), len(BARS) - 1)] for value in shown)


def say(outcome: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print the outcome of a command: for a person, or for a program."""
    typer.echo(json.dumps(outcome, indent=1) if as_json else in_options(text))
