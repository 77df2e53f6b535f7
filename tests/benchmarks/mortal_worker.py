"""A worker that dies under one item; in a module of its own, so that actors can import it."""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryopick_ray.engine.unit import UnitReport, never_leave, until_leaving

FATAL = "m15"
TRIES = "tries"
SECONDS_A_UNIT = 0.05

Fault = Literal["killed once", "exits once", "killed always"]


@dataclass(frozen=True)
class Item:
    """A micrograph's id."""

    micrograph_id: str


class MortalWorker:
    """Publishes a file for each item, and dies under the fatal one."""

    def __init__(self, folder: Path, fault: Fault) -> None:
        import cryopick_ray.stages.pick_worker  # noqa: F401 - a start that costs what a real one costs

        self._folder = folder
        self._fault = fault

    def process(self, items: Sequence[Item], leaving: Callable[[], bool] = never_leave) -> UnitReport:
        for item in until_leaving(leaving, items):
            if item.micrograph_id == FATAL:
                self._die()
            time.sleep(SECONDS_A_UNIT)
            (self._folder / item.micrograph_id).write_text(str(time.monotonic()))
        return UnitReport(len(items))

    def give_up(self, items: Sequence[Item], reason: str) -> UnitReport:
        return UnitReport(0, tuple((item.micrograph_id, reason) for item in items))

    def _die(self) -> None:
        tries = self._folder / TRIES
        first = not tries.exists()
        with tries.open("a") as file:
            file.write(f"{time.monotonic()}\n")
        if first and self._fault == "exits once":
            sys.exit(0)
        if first or self._fault == "killed always":
            os.kill(os.getpid(), signal.SIGKILL)
