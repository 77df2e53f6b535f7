"""Warnings of a run: shown while it runs, and kept with its results."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cryopick_ray.engine.events import MICROGRAPHS, Events
from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.errors import few
from cryopick_ray.picks.estimated_diameter import EstimatedDiameter
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.runs.results.verdict_warnings import verdict_warnings
from cryopick_ray.store.manifest import ManifestRow


@dataclass(frozen=True)
class RunWarning:
    """A warning of a run.

    Attributes
    ----------
    about
        ``run``: shown during the run; ``micrographs``, ``diameter``, ``picks``, ``files``: found in its
        results.
    """

    about: Literal["run", "micrographs", "diameter", "picks", "files"]
    text: str


class WarningCollector:
    """Passes a run's events on, and collects its warnings.

    Attributes
    ----------
    warnings
        Warnings without repetition, in order.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self.warnings: list[str] = []

    def stage(self, name: str, total: int, done: int = 0, of: str = MICROGRAPHS) -> None:
        """Pass it on."""
        self._events.stage(name, total, done, of)

    def report(self, name: str, report: UnitReport) -> None:
        """Pass it on."""
        self._events.report(name, report)

    def note(self, text: str) -> None:
        """Pass it on."""
        self._events.note(text)

    def warn(self, text: str) -> None:
        """Keep a warning and pass it on, unless it is known."""
        if text not in self.warnings:
            self.warnings.append(text)
            self._events.warn(text)

    def decided(self, text: str) -> None:
        """Keep a decision about the input, and pass it on as a note."""
        if text not in self.warnings:
            self.warnings.append(text)
            self._events.note(text)


def result_warnings(
    manifest: Mapping[str, ManifestRow],
    diameter: EstimatedDiameter | None,
    counts: Mapping[str, int],
    inverted: Sequence[str],
    thresholds: Mapping[str, Threshold],
    judged: Sequence[PickedMicrograph],
) -> list[RunWarning]:
    """Return the warnings that a run's results give.

    Parameters
    ----------
    counts
        Picks by micrograph.
    inverted
        Ids of micrographs that were inverted automatically.
    thresholds
        By data set.
    judged
        All micrographs, with their verdicts.
    """
    return [
        *(RunWarning("micrographs", text) for text in reading_warnings(manifest)),
        *(RunWarning("micrographs", text) for text in polarity_warnings(inverted, len(counts))),
        *(RunWarning("diameter", text) for text in diameter_warnings(diameter)),
        *(RunWarning("picks", f"{name}: {cut.doubt}") for name, cut in thresholds.items() if cut.doubt),
        *(RunWarning("picks", text) for text in (*verdict_warnings(judged), *count_warnings(counts))),
    ]


def reading_warnings(manifest: Mapping[str, ManifestRow]) -> list[str]:
    """Return notes from reading the micrographs, each text once with its ids."""
    whose: defaultdict[str, list[str]] = defaultdict(list)
    for row in manifest.values():
        for text in row.notes.splitlines():
            whose[text].append(row.micrograph_id)
    return [f"{text} ({few(names)})" for text, names in whose.items()]


def polarity_warnings(inverted: Sequence[str], count: int) -> list[str]:
    """Warn of micrographs that were inverted as their particles are bright."""
    if not inverted:
        return []
    return [
        f"{len(inverted)} of {count} micrographs have bright particles and were picked inverted "
        f"({few(inverted)}); `invert` overrides"
    ]


def diameter_warnings(found: EstimatedDiameter | None) -> list[str]:
    """Warn of an estimated diameter that is not certain."""
    return [] if found is None or found.is_sure else [f"diameter {found.text()}; `diameter_A` overrides"]


def count_warnings(counts: Mapping[str, int]) -> list[str]:
    """Warn if no particle was picked at all."""
    if not counts or any(counts.values()):
        return []
    return ["no particle was picked; check `diameter_A`, `pixel_size_A`, `invert` and the threshold"]
