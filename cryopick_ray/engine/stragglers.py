"""How long a unit may take before another worker does it, too, or its worker is taken for hung."""

from collections import deque
from collections.abc import Iterable
from statistics import median

REMEMBERED = 101
"""Units whose times tell what is typical now."""
STRAGGLER = 3.0
"""Typical times after which a unit is done a second time by a worker that has nothing to do."""
STRAGGLER_SECONDS = 2.0
"""Never sooner than this: starting a unit anew costs something, too."""
HUNG = 20.0
"""Typical times after which a worker that shows no end is taken for hung."""
HUNG_SECONDS = 600.0


class StragglerRule:
    """Learns from the units that ended how long one takes."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=REMEMBERED)

    def learn(self, seconds: float) -> None:
        """Note how long a unit took."""
        self._seconds.append(seconds)

    def straggler(self, seconds: Iterable[float]) -> int | None:
        """Return the position of the unit that has taken longest, if that is too long."""
        return self._longest(seconds, STRAGGLER, STRAGGLER_SECONDS)

    def hung(self, seconds: Iterable[float]) -> int | None:
        """Return the position of a unit whose worker must be taken for hung."""
        return self._longest(seconds, HUNG, HUNG_SECONDS)

    def _longest(self, seconds: Iterable[float], times: float, least: float) -> int | None:
        if not self._seconds:
            return None
        longest, position = max(((taken, at) for at, taken in enumerate(seconds)), default=(0.0, None))
        return position if longest > max(times * median(self._seconds), least) else None
