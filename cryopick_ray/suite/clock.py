"""What a micrograph takes in the workers, kept beside the work so that a second call knows it, too."""

import json
import statistics
from pathlib import Path

from cryopick_ray.engine.events import MICROGRAPHS, Events
from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.errors import UsageError, brief
from cryopick_ray.plain_data import read_json
from cryopick_ray.store.publish import write_whole

MAX_KEPT_BYTES = 2**20


class Clock:
    """Listens to one stage of a pair of model and data set: its bar is that of the whole suite.

    Parameters
    ----------
    said
        Notes that were passed on; none is twice.
    shown
        Whether its micrographs move the bar.
    """

    def __init__(self, events: Events, said: set[str], *, shown: bool) -> None:
        self._events, self._said, self._shown = events, said, shown
        self.done = 0
        self._seconds: list[float] = []

    def stage(self, name: str, total: int, done: int = 0, of: str = MICROGRAPHS) -> None:
        """Do nothing."""

    def report(self, name: str, report: UnitReport) -> None:
        """Note what each of a unit's micrographs took, and move the bar."""
        count = report.complete + len(report.failures)
        self.done += count
        if count and report.seconds:  # not so where a unit was given up
            self._seconds += [sum(report.seconds.values()) / count] * count
        if self._shown:
            self._events.report("suite", report)

    def note(self, text: str) -> None:
        """Pass it on, once."""
        if text not in self._said:
            self._said.add(text)
            self._events.note(text)

    def warn(self, text: str) -> None:
        """Pass it on, once."""
        if text not in self._said:
            self._said.add(text)
            self._events.warn(text)

    def median_s(self, kept: Path, key: str) -> float | None:
        """Return a micrograph's median seconds, now or when the work was done; ``None`` if not known.

        Parameters
        ----------
        kept
            JSON file of what was measured by ``key``; gets what is new.
        """
        known = _known(kept)
        if self._seconds:
            known[key] = statistics.median(self._seconds)
            write_whole(kept, json.dumps(known, indent=1))
        return known.get(key)


def _known(kept: Path) -> dict[str, float]:
    if not kept.is_file():
        return {}
    try:
        return {str(key): float(seconds) for key, seconds in read_json(kept, MAX_KEPT_BYTES).items()}
    except (OSError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UsageError(f"{kept} is damaged ({brief(error)}); delete it: only times are lost") from error
