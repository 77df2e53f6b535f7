"""What a run says while it goes on; who listens decides how it looks."""

from typing import Protocol

from cryopick_ray.engine.unit import UnitReport


class Events(Protocol):
    """A listener: a progress bar, plain lines, or nothing."""

    def stage(self, name: str, total: int) -> None:
        """Note that a stage of ``total`` micrographs starts; the one before has ended."""
        ...

    def report(self, report: UnitReport) -> None:
        """Note that a unit ended."""
        ...

    def note(self, text: str) -> None:
        """Say something worth knowing."""
        ...


class Silence:
    """Listens to nothing."""

    def stage(self, name: str, total: int) -> None:
        """Do nothing."""

    def report(self, report: UnitReport) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""
