"""What a run says while it goes on; who listens decides how it looks."""

from typing import Protocol

from cryopick_ray.engine.unit import UnitReport

MICROGRAPHS = "micrographs"
"""What most stages have some of."""


class Events(Protocol):
    """A listener: a progress bar, plain lines, or nothing."""

    def stage(self, name: str, total: int, done: int = 0, of: str = MICROGRAPHS) -> None:
        """Note that a stage has ``total`` of something, ``done`` done before; said again if that changes."""
        ...

    def report(self, name: str, report: UnitReport) -> None:
        """Note that a unit of a stage ended."""
        ...

    def note(self, text: str) -> None:
        """Say something worth knowing."""
        ...

    def warn(self, text: str) -> None:
        """Say what is guessed, doubted or left out; a run keeps it with its results."""
        ...


class SilentEvents:
    """Listens to nothing."""

    def stage(self, name: str, total: int, done: int = 0, of: str = MICROGRAPHS) -> None:
        """Do nothing."""

    def report(self, name: str, report: UnitReport) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def warn(self, text: str) -> None:
        """Do nothing."""
