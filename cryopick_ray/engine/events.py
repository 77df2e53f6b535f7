"""Progress, notes and warnings of a run; the listener decides how they are shown."""

from typing import Protocol

from cryopick_ray.engine.unit import UnitReport

MICROGRAPHS = "micrographs"
"""Unit of the counts of most stages."""


class Events(Protocol):
    """A listener: a progress bar, plain lines, or nothing."""

    def stage(self, name: str, total: int, done: int = 0, of: str = MICROGRAPHS) -> None:
        """Note that a stage has ``total`` items, ``done`` of them before it began; repeated on changes."""
        ...

    def report(self, name: str, report: UnitReport) -> None:
        """Note that a unit of a stage ended."""
        ...

    def note(self, text: str) -> None:
        """Show a note."""
        ...

    def warn(self, text: str) -> None:
        """Show a warning of what is guessed, doubtful or left out; a run keeps it with its results."""
        ...


class SilentEvents:
    """A listener that ignores everything."""

    def stage(self, name: str, total: int, done: int = 0, of: str = MICROGRAPHS) -> None:
        """Do nothing."""

    def report(self, name: str, report: UnitReport) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def warn(self, text: str) -> None:
        """Do nothing."""
