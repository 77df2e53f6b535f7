"""Progress within an epoch, as a file that the first worker writes: a report by Ray takes 2 s."""

import time
from contextlib import suppress
from pathlib import Path

from cryopick_ray.training.loop.loop import Epoch

STEPS = "steps"
"""The file's name: epoch, batches done and batches in all, in a line."""
EVERY_SECONDS = 1.0


class StepsFile:
    """A listener that writes the progress within an epoch to a file, at most once a second."""

    def __init__(self, folder: Path) -> None:
        self._path, self._written_s = folder / STEPS, -EVERY_SECONDS

    def steps(self, epoch: int, done: int, total: int) -> None:
        """Write the progress unless the file is younger than a second."""
        if time.monotonic() - self._written_s >= EVERY_SECONDS:
            self._written_s = time.monotonic()
            with suppress(OSError):  # nothing but a bar depends on it
                self._path.write_text(f"{epoch} {done} {total}\n")

    def epoch(self, epoch: Epoch) -> None:
        """Do nothing: epochs are in the log."""


def read_steps(folder: Path) -> tuple[int, int, int] | None:
    """Return epoch, batches done and batches in all as the first worker wrote them; ``None`` if unknown."""
    try:
        text = (folder / STEPS).read_text()
        epoch, done, total = map(int, text.split())
    except (OSError, ValueError):
        return None
    return (epoch, done, total) if text.endswith("\n") else None  # else it is being written
