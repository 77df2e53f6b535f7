"""Results of a live session, renewed in a thread while picking goes on."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from cryopick_ray.engine.events import MICROGRAPHS, Events
from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.errors import CryoPickError

ROLL_SECONDS, ROLL_SHARE = 30.0, 0.1
"""Minimum interval between renewals of the results, and the maximum share of the time that they take."""


class RollingResults:
    """Renews the results in a thread at intervals, if units have finished; passes events on."""

    def __init__(self, renew: Callable[[], list[str]], events: Events) -> None:
        self._renew, self._events = renew, events
        self._thread = ThreadPoolExecutor(1, "results")
        self._at_work: Future[list[str]] | None = None
        self._began = self._due = time.monotonic()
        self._has_news = False
        self._told: set[str] = set()

    def stage(self, name: str, total: int, done: int = 0, of: str = MICROGRAPHS) -> None:
        """Pass it on."""
        self._events.stage(name, total, done, of)

    def report(self, name: str, report: UnitReport) -> None:
        """Pass it on."""
        self._has_news |= name == "pick" or bool(report.failures)
        self._events.report(name, report)

    def note(self, text: str) -> None:
        """Pass it on."""
        self._events.note(text)

    def warn(self, text: str) -> None:
        """Pass it on."""
        self._events.warn(text)

    def turn(self) -> None:
        """Start a renewal if one is due, and report the warnings of a finished one."""
        now = time.monotonic()
        if self._at_work is not None and self._at_work.done():
            self._tell(self._at_work)
            self._at_work = None
            self._due = now + max(ROLL_SECONDS, (now - self._began) / ROLL_SHARE)
        if self._at_work is None and self._has_news and now >= self._due:
            self._has_news, self._began = False, now
            self._at_work = self._thread.submit(self._renew)

    def close(self) -> None:
        """Wait for a running renewal."""
        self._thread.shutdown(cancel_futures=True)

    def _tell(self, renewed: Future[list[str]]) -> None:
        try:
            lines = renewed.result()
        except CryoPickError as error:
            lines = [f"the results were not renewed: {error}"]
        for line in lines:
            if line not in self._told:
                self._told.add(line)
                self._events.warn(line)
