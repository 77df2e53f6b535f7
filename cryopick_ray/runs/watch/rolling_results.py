"""Results that are renewed beside the work that they come from."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from cryopick_ray.engine.events import MICROGRAPHS, Events
from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.errors import CryoPickError

ROLL_SECONDS, ROLL_SHARE = 30.0, 0.1
"""Between two renewals of the results, and the part of the time that they may take."""


class Rolling:
    """Renews the results beside the work, now and then, if something has come to its end."""

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
        """Begin to renew the results if it is time to, and say what came of it."""
        now = time.monotonic()
        if self._at_work is not None and self._at_work.done():
            self._tell(self._at_work)
            self._at_work = None
            self._due = now + max(ROLL_SECONDS, (now - self._began) / ROLL_SHARE)
        if self._at_work is None and self._has_news and now >= self._due:
            self._has_news, self._began = False, now
            self._at_work = self._thread.submit(self._renew)

    def close(self) -> None:
        """Wait for what is under way."""
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
