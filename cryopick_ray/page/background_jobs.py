"""Background jobs of a page: ``cryopick`` commands in sequence, or a function in a thread."""

import os
import re
import shlex
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from threading import Event, Lock, Thread
from typing import Any, Literal

from cryopick_ray.errors import CryoPickError, brief
from cryopick_ray.page import supervised_command
from cryopick_ray.page.spelling import as_options

LINES, LONGEST_LINE = 20, 500
MOST_RUNNING, MOST_KEPT = 4, 100
State = Literal["running", "done", "failed"]
_UNPRINTED = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Step:
    """A command's arguments after ``cryopick``, and a callback for its success."""

    words: Sequence[str]
    then: Callable[[], None] = lambda: None


class TooManyJobsError(CryoPickError):
    """Too many jobs are running."""


@dataclass
class BackgroundJob:
    """A job with its state and its last lines of output."""

    number: str
    kind_of_job: str
    command: str
    state: State = "running"
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES))
    stopped: Event = field(default_factory=Event)
    process: subprocess.Popen[str] | None = None

    def say(self, text: str) -> None:
        """Add lines of output, without terminal control sequences."""
        for line in text.splitlines():
            if printable := _UNPRINTED.sub("", line).rstrip()[:LONGEST_LINE]:
                self.lines.append(printable)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "job": self.number,
            "what": self.kind_of_job,
            "state": self.state,
            "lines": list(self.lines),
            "command": self.command,
        }


class BackgroundJobs:
    """All jobs of a page; they end when the page does."""

    def __init__(self) -> None:
        self._jobs: dict[str, BackgroundJob] = {}
        self._threads: list[Thread] = []
        self._numbers = count(1)
        self._lock = Lock()

    def run(self, what: str, steps: Sequence[Step], *, alone: bool = False) -> str:
        """Start commands that run one after the other; return the job's number; see :meth:`do`."""
        shown = "\n".join(shown_command(step.words) for step in steps)

        def work(job: BackgroundJob) -> None:
            for step in steps:
                self._run_command(job, step.words)
                step.then()

        return self.do(what, shown, work, alone=alone)

    def do(
        self, what: str, command: str, work: Callable[[BackgroundJob], None], *, alone: bool = False
    ) -> str:
        """Start a function in a thread; it fails by raising, and must check ``job.stopped``.

        Parameters
        ----------
        alone
            Whether only one such job may run at a time.

        Raises
        ------
        TooManyJobsError
            If too many jobs are running, or this one is.
        """
        with self._lock:
            running = [job.kind_of_job for job in self._jobs.values() if job.state == "running"]
            if alone and what in running:
                raise TooManyJobsError(f"{what} is running already; wait until it ends, or stop it")
            if len(running) >= MOST_RUNNING:
                raise TooManyJobsError(f"{MOST_RUNNING} jobs are running; wait for one, or stop it")
            job = BackgroundJob(str(next(self._numbers)), what, command)
            self._jobs[job.number] = job
            for old in [job for job in self._jobs.values() if job.state != "running"][:-MOST_KEPT]:
                del self._jobs[old.number]
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(
            Thread(target=self._work, args=(job, work), name=f"job {job.number}", daemon=True)
        )
        self._threads[-1].start()
        return job.number

    def listed(self) -> list[dict[str, Any]]:
        """Return all jobs as plain data, the first one first."""
        with self._lock:
            return [job.to_dict() for job in self._jobs.values()]

    def stop(self, number: str) -> bool:
        """Stop a job; tell whether there is one of that number."""
        with self._lock:
            job = self._jobs.get(number)
        if job is not None:
            job.stopped.set()
            _end(job.process)
        return job is not None

    def close(self) -> None:
        """Stop all jobs, and wait for their end."""
        for number in list(self._jobs):
            self.stop(number)
        for thread in self._threads:
            thread.join(2 * supervised_command.PATIENCE_S)

    def _work(self, job: BackgroundJob, work: Callable[[BackgroundJob], None]) -> None:
        try:
            work(job)
            if not job.stopped.is_set():
                job.state = "done"
        except Exception as error:  # noqa: BLE001 - whatever it was, the job must report it
            is_told = isinstance(error, CryoPickError | OSError)
            if not is_told and not job.stopped.is_set():
                traceback.print_exc()
            text = as_options(str(error)) if is_told else f"{type(error).__name__}: {brief(error)}"
            job.say("stopped" if job.stopped.is_set() else text)
        finally:
            if job.state == "running":
                job.state = "failed"

    def _run_command(self, job: BackgroundJob, words: Sequence[str]) -> None:
        """Run a command to its end, unless the job is stopped."""
        if job.stopped.is_set():
            raise CryoPickError("stopped")
        job.process = subprocess.Popen(
            [sys.executable, "-m", supervised_command.__name__, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        if job.stopped.is_set():  # meanwhile
            _end(job.process)
        with job.process as running:
            assert running.stdout is not None
            for line in running.stdout:
                job.say(line)
        status = running.returncode
        if job.stopped.is_set():
            raise CryoPickError("stopped")
        if status not in (0, 3):  # 3: done, some micrographs failed
            raise CryoPickError(f"it ended with status {status}")


def shown_command(words: Sequence[str]) -> str:
    """Return a command line as a person types it."""
    return shlex.join(["cryopick", *words])


def _end(process: subprocess.Popen[str] | None) -> None:
    """End a command and all that it started, by closing its standard input."""
    if process is not None and process.stdin is not None:
        process.stdin.close()
