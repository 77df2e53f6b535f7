"""How long to wait: between tries, at a server's wish, and for a share of the bandwidth."""

import threading
import time
from collections.abc import Callable

PAUSES_S = (0.5, 60.0)
"""First and longest pause between tries, before the server says otherwise."""
LONGEST_WISH_S = 600.0
"""A server that wants to be left alone for longer is given up."""
BURST_S = 0.25
"""Bandwidth that may be saved up, in seconds of it."""


def pause_s(tries: int, retry_after_s: float | None, jitter: float) -> float:
    """Return the pause after so many failed tries (1 and up), doubled each time, in seconds.

    Parameters
    ----------
    retry_after_s
        What the server asks for; the pause is never shorter.
    jitter
        0 to 1: spreads the pauses of many clients over half of their length.
    """
    first, longest = PAUSES_S
    own = min(longest, first * 2.0 ** min(tries - 1, 20)) * (0.5 + 0.5 * jitter)
    return max(own, retry_after_s or 0.0)


class Bandwidth:
    """A token bucket that all connections draw from.

    Parameters
    ----------
    bytes_per_s
        ``None`` for no limit.
    clock
        Seconds that only grow.
    """

    def __init__(self, bytes_per_s: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = bytes_per_s, clock
        self._lock = threading.Lock()
        self._paid_until = clock()

    def pay(self, n_bytes: int) -> None:
        """Wait until so many more bytes are within the limit."""
        time.sleep(self.draw(n_bytes))

    def draw(self, n_bytes: int) -> float:
        """Take ``n_bytes`` and return the seconds to wait until they are paid for."""
        if self._rate is None:
            return 0.0
        with self._lock:
            now = self._clock()
            self._paid_until = max(self._paid_until, now - BURST_S) + n_bytes / self._rate
            return max(0.0, self._paid_until - now)
