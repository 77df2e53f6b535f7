"""A least-recently-used cache bounded in bytes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ByteCache(Generic[K, V]):
    """Least-recently-used cache of values by key.

    Threads that request one value at the same time compute it once.

    Parameters
    ----------
    most_bytes
        Limit of all values together; the last requested value stays whatever its size.
    size
        Bytes of a value.
    """

    def __init__(self, most_bytes: int, size: Callable[[V], int]) -> None:
        self._most, self._size = most_bytes, size
        self._values: OrderedDict[K, V] = OrderedDict()
        self._making: dict[K, Lock] = {}
        self._lock = Lock()
        self.bytes = 0

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return the value of a key, computed if it is not cached."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            making = self._making.setdefault(key, Lock())
        with making:
            with self._lock:
                if key in self._values:
                    return self._values[key]
            try:
                value = make()
            finally:
                with self._lock:
                    self._making.pop(key, None)
            self._keep(key, value)
            return value

    def forget(self, which: Callable[[K], bool] = lambda key: True) -> None:
        """Drop the values of some keys."""
        with self._lock:
            for key in [key for key in self._values if which(key)]:
                self.bytes -= self._size(self._values.pop(key))

    def _keep(self, key: K, value: V) -> None:
        with self._lock:
            if key in self._values:
                self.bytes -= self._size(self._values.pop(key))
            self._values[key] = value
            self.bytes += self._size(value)
            while self.bytes > self._most and len(self._values) > 1:
                _, gone = self._values.popitem(last=False)
                self.bytes -= self._size(gone)
