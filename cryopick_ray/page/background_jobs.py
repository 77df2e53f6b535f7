"""Work that a page starts and watches: commands of ours one after the other, or something done here."""

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
from cryopick_ray.page import leash
from cryopick_ray.page.spelling import as_options

LINES, LONGEST_LINE = 20, 500
MOST_RUNNING, MOST_KEPT = 4, 100
State = Literal["running", "done", "failed"]
_UNPRINTED = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Step:
    """The words after ``cryopick`` of a command, and what is done once it ended well."""

    words: Sequence[str]
    then: Callable[[], None] = lambda: None


class TooManyError(CryoPickError):
    """More is going on already than a machine should do."""


@dataclass
class BackgroundJob:
    """One piece of work, its last lines, and how far it is."""

    number: str
    what: str
    command: str
    state: State = "running"
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES))
    stopped: Event = field(default_factory=Event)
    process: subprocess.Popen[str] | None = None

    def say(self, text: str) -> None:
        """Add lines, without what would steer a terminal."""
        for line in text.splitlines():
            if shown := _UNPRINTED.sub("", line).rstrip()[:LONGEST_LINE]:
                self.lines.append(shown)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "job": self.number,
            "what": self.what,
            "state": self.state,
            "lines": list(self.lines),
            "command": self.command,
        }


class BackgroundJobs:
    """All work of a page; it ends when the page does."""

    def __init__(self) -> None:
        self._jobs: dict[str, BackgroundJob] = {}
        self._threads: list[Thread] = []
        self._numbers = count(1)
        self._lock = Lock()

    def run(self, what: str, steps: Sequence[Step], *, alone: bool = False) -> str:
        """Start commands of ours, one after the other; return the job's number; see :meth:`do`."""
        shown = "\n".join(shown_command(step.words) for step in steps)

        def work(job: BackgroundJob) -> None:
            for step in steps:
                self._ended_well(job, step.words)
                step.then()

        return self.do(what, shown, work, alone=alone)

    def do(
        self, what: str, command: str, work: Callable[[BackgroundJob], None], *, alone: bool = False
    ) -> str:
        """Start something that is done here; it fails by an error, and looks whether it was stopped.

        Parameters
        ----------
        alone
            Whether it is done once at a time.

        Raises
        ------
        TooManyError
            If too much is going on, or this is.
        """
        with self._lock:
            running = [job.what for job in self._jobs.values() if job.state == "running"]
            if alone and what in running:
                raise TooManyError(f"{what} is running already; wait until it ends, or stop it")
            if len(running) >= MOST_RUNNING:
                raise TooManyError(f"{MOST_RUNNING} jobs are running; wait for one, or stop it")
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
        """Stop all of them, and wait until they ended."""
        for number in list(self._jobs):
            self.stop(number)
        for thread in self._threads:
            thread.join(2 * leash.PATIENCE_S)

    def _work(self, job: BackgroundJob, work: Callable[[BackgroundJob], None]) -> None:
        try:
            work(job)
            if not job.stopped.is_set():
                job.state = "done"
        except Exception as error:  # noqa: BLE001 - whatever it was, a person waits to hear of it
            is_told = isinstance(error, CryoPickError | OSError)
            if not is_told and not job.stopped.is_set():
                traceback.print_exc()
            text = as_options(str(error)) if is_told else f"{type(error).__name__}: {brief(error)}"
            job.say("stopped" if job.stopped.is_set() else text)
        finally:
            if job.state == "running":
                job.state = "failed"

    def _ended_well(self, job: BackgroundJob, words: Sequence[str]) -> None:
        """Run a command to its end, unless the job is stopped."""
        if job.stopped.is_set():
            raise CryoPickError("stopped")
        job.process = subprocess.Popen(
            [sys.executable, "-m", leash.__name__, *words],
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
    """Return a command as a person types it."""
    return shlex.join(["cryopick", *words])


def _end(process: subprocess.Popen[str] | None) -> None:
    """Let go of a command: its leash ends it with all that it started."""
    if process is not None and process.stdin is not None:
        process.stdin.close()
