"""How a download looks: one bar of bytes on a terminal, plain lines when piped."""

import sys
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from .spelling import in_options

PLAIN_SECONDS = 10.0
FAILURES_SHOWN = 20


class TransferEvents:
    """Shows a download on standard error.

    Parameters
    ----------
    summary
        Number and bytes of the files by state, before it starts.
    """

    def __init__(self, summary: Mapping[str, tuple[int, int]]) -> None:
        self._files = sum(number for number, _ in summary.values())
        self._done, self._done_bytes = summary.get("fetched", (0, 0))
        self._failed, self._spoke, self._lock = 0, 0.0, threading.Lock()
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.fields[files]}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not sys.stderr.isatty(),
        )
        total_bytes = sum(size for _, size in summary.values())
        self._task = self._progress.add_task(
            "", total=total_bytes or None, completed=self._done_bytes, files=self._count()
        )

    def __enter__(self) -> Self:
        """Start showing."""
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """Stop showing."""
        self._progress.stop()

    def moved(self, n_bytes: int) -> None:
        """Move the bar."""
        self._progress.advance(self._task, n_bytes)
        with self._lock:
            self._done_bytes += n_bytes
        self._plain()

    def ended(self, path: str, reason: str) -> None:
        """Count a file."""
        with self._lock:
            self._done += not reason
            self._failed += bool(reason)
            failed = self._failed
        if reason and failed <= FAILURES_SHOWN:
            self._console.print(in_options(f"failed: {path}: {reason}"), markup=False, soft_wrap=True)
        self._progress.update(self._task, files=self._count())
        self._plain()

    def _count(self) -> str:
        return f"{self._done} of {self._files} files"

    def _plain(self) -> None:
        with self._lock:
            is_due = self._progress.disable and time.monotonic() - self._spoke > PLAIN_SECONDS
            self._spoke = time.monotonic() if is_due else self._spoke
        if is_due:
            self._console.print(f"{self._count()}, {self._done_bytes / 1e6:.1f} MB", markup=False)
