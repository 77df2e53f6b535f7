"""Seconds of a micrograph in the workers, kept in a file so that a resumed suite has them, too."""

import json
import statistics
from pathlib import Path

from cryopick_ray.engine.events import MICROGRAPHS, Events
from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.errors import UsageError, brief
from cryopick_ray.plain_data import read_json
from cryopick_ray.store.publish import write_whole

MAX_KEPT_BYTES = 2**20


class StageClock:
    """Events of one stage for a model and a data set: measures seconds, and moves the suite's progress bar.

    Parameters
    ----------
    notes
        Notes that were passed on already: none is passed on twice.
    shown
        Whether its micrographs move the bar.
    """

    def __init__(self, events: Events, notes: set[str], *, shown: bool) -> None:
        self._events, self._notes, self._shown = events, notes, shown
        self.done = 0
        self._seconds: list[float] = []

    def stage(self, name: str, total: int, done: int = 0, of: str = MICROGRAPHS) -> None:
        """Do nothing."""

    def report(self, name: str, report: UnitReport) -> None:
        """Record the seconds of a unit's micrographs, and move the bar."""
        count = report.complete + len(report.failures)
        self.done += count
        if count and report.seconds:  # none where a unit was given up
            self._seconds += [sum(report.seconds.values()) / count] * count
        if self._shown:
            self._events.report("suite", report)

    def note(self, text: str) -> None:
        """Pass it on, once."""
        if text not in self._notes:
            self._notes.add(text)
            self._events.note(text)

    def warn(self, text: str) -> None:
        """Pass it on, once."""
        if text not in self._notes:
            self._notes.add(text)
            self._events.warn(text)

    def median_s(self, kept: Path, key: str) -> float | None:
        """Return a micrograph's median seconds, of this call or an earlier one; ``None`` if unknown.

        Parameters
        ----------
        kept
            JSON file of seconds by key; new ones are added.
        """
        seconds = _read_seconds(kept)
        if self._seconds:
            seconds[key] = statistics.median(self._seconds)
            write_whole(kept, json.dumps(seconds, indent=1))
        return seconds.get(key)


def _read_seconds(kept: Path) -> dict[str, float]:
    if not kept.is_file():
        return {}
    try:
        return {str(key): float(seconds) for key, seconds in read_json(kept, MAX_KEPT_BYTES).items()}
    except (OSError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UsageError(f"{kept} is damaged ({brief(error)}); delete it: only times are lost") from error
