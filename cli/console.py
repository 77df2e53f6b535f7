"""How a run looks: bars on a terminal, plain lines when piped, JSON where a program listens."""

import contextlib
import json
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cryopick_ray.engine.unit import UnitReport

if TYPE_CHECKING:
    from cryopick_ray.training.loop import Epoch

FAILURES_SHOWN = 20
PLAIN_SECONDS = 10.0
BARS, BARS_SHOWN = "▁▂▃▄▅▆▇█", 40


class ConsoleEvents:
    """Shows a run's events on standard error, so that standard output stays the program's."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description:8}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[extra]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not sys.stderr.isatty(),
        )
        self._stray = contextlib.ExitStack()  # Ray prints notices of its own to standard output
        self._task: Any = None
        self._name, self._total, self._done, self._failed, self._candidates = "", 0, 0, 0, 0
        self._spoke = 0.0
        self._losses: list[float] = []

    def __enter__(self) -> Self:
        """Start showing."""
        self._stray.enter_context(contextlib.redirect_stdout(sys.stderr))
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """Stop showing."""
        self._progress.stop()
        self._stray.close()

    def stage(self, name: str, total: int) -> None:
        """Start a bar."""
        self._name, self._total, self._done, self._failed, self._candidates = name, total, 0, 0, 0
        self._task = self._progress.add_task(name, total=total, extra="")
        self._plain(f"{name}: {total} micrographs" if total else f"{name}: nothing left to do")

    def report(self, report: UnitReport) -> None:
        """Move the bar."""
        self._done += report.complete + len(report.failures)
        self._candidates += report.candidates
        for text in report.notes:
            self.note(text)
        for name, reason in report.failures:
            self._failed += 1
            if self._failed <= FAILURES_SHOWN:
                self.note(f"failed: {name}: {reason}")
        found = f"{self._candidates} candidates" if self._candidates else ""
        self._progress.update(self._task, completed=self._done, extra=found)
        if self._done == self._total or time.monotonic() - self._spoke > PLAIN_SECONDS:
            self._plain(f"{self._name}: {self._done} of {self._total}" + (f", {found}" if found else ""))

    def epoch(self, epoch: "Epoch") -> None:
        """Show a finished epoch, and the losses that were shown so far as a small curve."""
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
        self._console.print(text, markup=False, soft_wrap=True)

    def _plain(self, text: str) -> None:
        if self._progress.disable:
            self._spoke = time.monotonic()
            self.note(text)


def looked_at(events: ConsoleEvents, done: int, total: int) -> None:
    """Show how many micrographs were looked at for the diameter."""
    if done:
        events.report(UnitReport(1))
    else:
        events.stage("diameter", total)


def sparkline(values: Sequence[float]) -> str:
    """Return up to the last 40 values as a row of bars, the lowest lowest."""
    shown = values[-BARS_SHOWN:]
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join(BARS[min(int((value - low) / span * len(BARS)), len(BARS) - 1)] for value in shown)


def say(outcome: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print the outcome of a command: for a person, or for a program."""
    typer.echo(json.dumps(outcome, indent=1) if as_json else text)
