"""What may lie on the disk at a time."""

import threading

from cryopick_ray.transfer.transfer_errors import NoRoomError, RemoteError, StoppedError


class DiskBudget:
    """Shares out so many bytes of disk among files, each held from before its first byte to its deletion.

    Parameters
    ----------
    keep_bytes
        ``None`` for as much as there is.
    """

    def __init__(self, keep_bytes: int | None) -> None:
        self._keep_bytes = keep_bytes
        self._changed = threading.Condition()
        self._held: dict[str, int] = {}
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many threads wait for room."""
        with self._changed:
            return self._waiting

    @property
    def held_bytes(self) -> int:
        """What is shared out."""
        with self._changed:
            return sum(self._held.values())

    def take(self, path: str, size_bytes: int, stop: threading.Event) -> None:
        """Wait for room for a file."""
        with self._changed:
            self._check(size_bytes)
            self._waiting += 1
            try:
                while not self._fits(path, size_bytes):
                    if stop.is_set():
                        raise StoppedError
                    self._changed.wait(0.2)
            finally:
                self._waiting -= 1
            self._held[path] = size_bytes

    def adjust(self, path: str, size_bytes: int) -> None:
        """Hold the true size of a file instead of the listed one.

        Raises
        ------
        NoRoomError
            It does not fit now.
        RemoteError
            It never will.
        """
        with self._changed:
            self._check(size_bytes)
            if not self._fits(path, size_bytes):
                raise NoRoomError(f"{path} has {size_bytes} bytes, more than there is room for now")
            self._held[path] = size_bytes
            self._changed.notify_all()

    def free(self, path: str) -> None:
        """Give back a file's room."""
        with self._changed:
            self._held.pop(path, None)
            self._changed.notify_all()

    def _fits(self, path: str, size_bytes: int) -> bool:
        others = sum(self._held.values()) - self._held.get(path, 0)
        return self._keep_bytes is None or others + size_bytes <= self._keep_bytes

    def _check(self, size_bytes: int) -> None:
        if self._keep_bytes is not None and size_bytes > self._keep_bytes:
            raise RemoteError(
                f"the file has {size_bytes} bytes; at most {self._keep_bytes} are kept at a time"
            )
