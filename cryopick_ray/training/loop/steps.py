"""How far an epoch is, from the first worker to whoever sees its folder: a report by Ray takes 2 s."""

import time
from contextlib import suppress
from pathlib import Path

from cryopick_ray.training.loop.loop import Epoch

STEPS = "steps"
"""The file's name: epoch, batches done and batches in all, in a line."""
EVERY_SECONDS = 1.0


class StepsFile:
    """Listens to a training and writes down how far it is, now and then."""

    def __init__(self, folder: Path) -> None:
        self._path, self._told = folder / STEPS, -EVERY_SECONDS

    def steps(self, epoch: int, done: int, total: int) -> None:
        """Write it down if that was not done just now."""
        if time.monotonic() - self._told >= EVERY_SECONDS:
            self._told = time.monotonic()
            with suppress(OSError):  # nothing but a bar depends on it
                self._path.write_text(f"{epoch} {done} {total}\n")

    def epoch(self, epoch: Epoch) -> None:
        """Do nothing: the log tells."""


def read_steps(folder: Path) -> tuple[int, int, int] | None:
    """Return epoch, batches done and batches in all as the first worker wrote them; ``None`` if unknown."""
    try:
        text = (folder / STEPS).read_text()
        epoch, done, total = map(int, text.split())
    except (OSError, ValueError):
        return None
    return (epoch, done, total) if text.endswith("\n") else None  # else it is being written
