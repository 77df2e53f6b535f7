"""What a run guessed, doubted or missed: said while it goes on, and kept with its results."""

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
from cryopick_ray.runs.doubts import of_verdicts
from cryopick_ray.store.manifest import ManifestRow


@dataclass(frozen=True)
class RunWarning:
    """One of them.

    Attributes
    ----------
    about
        ``run``: said while it went on; ``micrographs``, ``diameter``, ``picks``, ``files``: to be seen in its
        results.
    """

    about: Literal["run", "micrographs", "diameter", "picks", "files"]
    text: str


class Heard:
    """Passes a run's events on, and keeps its warnings.

    Attributes
    ----------
    warnings
        Each once, in the order in which they were said.
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
        """Keep it, and pass it on unless it was said before."""
        if text not in self.warnings:
            self.warnings.append(text)
            self._events.warn(text)

    def decided(self, text: str) -> None:
        """Keep what was decided of INPUT, and pass it on as a note."""
        if text not in self.warnings:
            self.warnings.append(text)
            self._events.note(text)


def in_results(
    manifest: Mapping[str, ManifestRow],
    diameter: EstimatedDiameter | None,
    counts: Mapping[str, int],
    inverted: Sequence[str],
    thresholds: Mapping[str, Threshold],
    judged: Sequence[PickedMicrograph],
) -> list[RunWarning]:
    """Return what is to be seen in a run's results.

    Parameters
    ----------
    counts
        Picks by micrograph.
    inverted
        Those whose negatives were picked though nobody said so.
    thresholds
        By data set.
    judged
        All micrographs, with their verdicts.
    """
    return [
        *(RunWarning("micrographs", text) for text in of_micrographs(manifest)),
        *(RunWarning("micrographs", text) for text in of_polarity(inverted, len(counts))),
        *(RunWarning("diameter", text) for text in of_diameter(diameter)),
        *(RunWarning("picks", f"{name}: {cut.doubt}") for name, cut in thresholds.items() if cut.doubt),
        *(RunWarning("picks", text) for text in (*of_verdicts(judged), *of_counts(counts))),
    ]


def of_micrographs(manifest: Mapping[str, ManifestRow]) -> list[str]:
    """Return what was guessed or doubted when the micrographs were read, each text once."""
    whose: defaultdict[str, list[str]] = defaultdict(list)
    for row in manifest.values():
        for text in row.notes.splitlines():
            whose[text].append(row.micrograph_id)
    return [f"{text} ({few(names)})" for text, names in whose.items()]


def of_polarity(inverted: Sequence[str], count: int) -> list[str]:
    """Return which of so many micrographs were seen to have bright particles."""
    if not inverted:
        return []
    return [
        f"{len(inverted)} of {count} micrographs have bright particles and were picked inverted "
        f"({few(inverted)}); `invert` overrides"
    ]


def of_diameter(found: EstimatedDiameter | None) -> list[str]:
    """Return the doubt that an estimated diameter is open to."""
    return [] if found is None or found.is_sure else [f"diameter {found.text()}; `diameter_A` overrides"]


def of_counts(counts: Mapping[str, int]) -> list[str]:
    """Return that no particle was picked at all."""
    if not counts or any(counts.values()):
        return []
    return ["no particle was picked; check `diameter_A`, `pixel_size_A`, `invert` and the threshold"]
