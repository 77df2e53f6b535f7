"""Time, CPU time and arithmetic of the parts of a pass, each charged to one part alone."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

Route = Literal["memory", "device", "link"]
"""What bytes pass through: the host's memory, the GPU's, or the bus between them."""


@dataclass
class TimedPart:
    """What one part of a pass took.

    Attributes
    ----------
    seconds, cpu_seconds
        Wall-clock time, and CPU time of all threads of this process.
    flops
        Arithmetic in convolutions and matrix products, 2 a multiply-add; counted where someone counts.
    bytes
        What has to be read and written at least: what comes in and what goes out.
    route
        Where those bytes pass, and so who does the work.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    flops: int = 0
    bytes: int = 0
    route: Route = "memory"

    @property
    def busy_seconds(self) -> float:
        """What the part would take on a machine that has nothing else to do.

        On the host that is the CPU time where it is less than the wall clock's, as it is when others
        want the same core; with several threads it is more.
        """
        return min(self.seconds, self.cpu_seconds) if self.route == "memory" else self.seconds


class Stopwatch:
    """Charges what passes to the innermost part that is running: no moment counts twice.

    Parameters
    ----------
    wait
        Called before each reading, until a GPU has done what it was given.
    flops
        Tells the arithmetic done so far.

    Attributes
    ----------
    parts
        By name, in the order in which they first began.
    """

    def __init__(
        self, *, wait: Callable[[], object] = lambda: None, flops: Callable[[], int] = lambda: 0
    ) -> None:
        self.parts: dict[str, TimedPart] = {}
        self._wait, self._flops = wait, flops
        self._running: list[TimedPart] = []
        self._last = (0.0, 0.0, 0)

    @contextmanager
    def part(self, name: str) -> Iterator[TimedPart]:
        """Charge the block to ``name``; blocks of one name add up."""
        part = self.parts.setdefault(name, TimedPart())
        self._charge()
        self._running.append(part)
        try:
            yield part
        finally:
            self._charge()
            self._running.pop()

    def _charge(self) -> None:
        self._wait()
        now = (time.perf_counter(), time.process_time(), self._flops())
        if self._running:
            part = self._running[-1]
            part.seconds += now[0] - self._last[0]
            part.cpu_seconds += now[1] - self._last[1]
            part.flops += now[2] - self._last[2]
        self._last = now
