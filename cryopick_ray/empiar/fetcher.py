"""Several files at a time, until all that was chosen is here or has failed."""

import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from cryopick_ray.empiar.disk_budget import DiskBudget
from cryopick_ray.empiar.download_manifest import Manifest
from cryopick_ray.empiar.rows import FileRow, State
from cryopick_ray.transfer.names import PART, local_path
from cryopick_ray.transfer.response import FileSource
from cryopick_ray.transfer.transfer import KnownFile, Transfer
from cryopick_ray.transfer.transfer_errors import (
    ExhaustedError,
    HostileNameError,
    NoRoomError,
    RemoteError,
    StoppedError,
)

POLL_S = 0.5
"""Between looks at what other runs have in hand."""
MOST_EXHAUSTED = 20
"""Files in a row that no try brought anything of: the server is away, and the run ends."""
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)


class FetchEvents(Protocol):
    """Told how a download goes, from several threads."""

    def moved(self, n_bytes: int) -> None:
        """Hear that so many bytes came; negative where a part was thrown away."""

    def ended(self, path: str, reason: str) -> None:
        """Hear that a file is here, or the reason why it is not."""


@dataclass(frozen=True)
class FetchedFile:
    """A file that is here and whole.

    Attributes
    ----------
    remote_path
        Below the entry; the micrograph's id, if the download's folder is the source's root.
    path
        Where it lies.
    """

    remote_path: str
    path: Path
    size_bytes: int


class Fetcher:
    """Fetches what a manifest has chosen, in as many threads as there are connections.

    Parameters
    ----------
    stop
        Ends all threads; shared with the source's client.
    room
        What may lie on the disk at a time.
    on_fetched
        Takes a file that is here, which then stays claimed; ``None`` to keep files and let go of them.
    """

    def __init__(
        self,
        files: FileSource,
        manifest: Manifest,
        events: FetchEvents,
        *,
        connections: int,
        stop: threading.Event,
        room: DiskBudget | None = None,
        on_fetched: Callable[[FetchedFile], None] | None = None,
    ) -> None:
        self._files, self._manifest, self._events = files, manifest, events
        self._stop, self._room, self._on_fetched = stop, room or DiskBudget(None), on_fetched
        self._states: tuple[State, ...] = (
            ("listed", "partial", "fetched") if on_fetched else ("listed", "partial")
        )
        self._lock = threading.Lock()
        self._busy = 0
        self._exhausted, self._fatal = 0, list[BaseException]()
        self._threads = [threading.Thread(target=self._guarded, daemon=True) for _ in range(connections)]

    def __enter__(self) -> Self:
        """Start."""
        if self._on_fetched is None:
            self._forget_missing()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """End all threads; what is here of a file stays."""
        if kind is not None or self.working:
            self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def working(self) -> int:
        """How many threads have not ended."""
        return sum(thread.is_alive() for thread in self._threads)

    @property
    def busy(self) -> int:
        """How many threads fetch right now, neither waiting for room nor for other runs."""
        return self._busy

    def check(self) -> None:
        """Raise what ended a thread."""
        if self._fatal:
            raise self._fatal[0]

    def wait(self) -> None:
        """Wait until all is here or has failed."""
        for thread in self._threads:
            while thread.is_alive():
                thread.join(POLL_S)  # so that an interrupt is heard
        self.check()

    def _forget_missing(self) -> None:
        """Fetch again what was fetched and is no longer here."""
        for row in self._manifest.chosen():
            if row.state == "fetched" and not _is_here(local_path(self._manifest.folder, row.path), row):
                self._manifest.forget(row.path)
        self._manifest.is_settled(self._states)  # takes them up

    def _guarded(self) -> None:
        try:
            self._work()
        except StoppedError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            self._fatal.append(error)
            self._stop.set()

    def _work(self) -> None:
        while not self._stop.is_set():
            row = self._manifest.claim(self._states)
            if row is not None:
                self._one(row)
            elif self._manifest.is_settled(self._states):
                return
            else:
                self._stop.wait(POLL_S)

    def _one(self, row: FileRow) -> None:
        """Fetch a claimed file, and note how it ended."""
        try:
            target = local_path(self._manifest.folder, row.path)
            self._room.take(row.path, self._expected(row), self._stop)
            with self._at_work():
                fetched = self._here(row, target) or self._fetch(row, target)
        except (StoppedError, NoRoomError) as error:
            self._room.free(row.path)
            self._manifest.put_back(row.path)
            if isinstance(error, StoppedError):
                raise
        except (RemoteError, OSError) as error:
            if isinstance(error, OSError) and error.errno in _DISK:
                self._manifest.put_back(row.path)
                raise
            self._drop_part(row)
            self._room.free(row.path)
            self._manifest.ended(row.path, "failed", str(error))
            self._events.ended(row.path, str(error))
            self._count(isinstance(error, ExhaustedError))
        else:
            self._count(False)
            self._events.ended(row.path, "")
            if self._on_fetched:
                self._on_fetched(fetched)
            else:
                self._room.free(row.path)

    def _expected(self, row: FileRow) -> int:
        if row.expected_bytes is not None:
            return row.expected_bytes
        return (self._files.size(row.path) or 0) if self._on_fetched else 0

    def _here(self, row: FileRow, target: Path) -> FetchedFile | None:
        """Return a file that an earlier run fetched and did not get to use."""
        if row.state != "fetched" or not _is_here(target, row):
            return None
        return FetchedFile(row.path, target, row.size_bytes or 0)

    def _fetch(self, row: FileRow, target: Path) -> FetchedFile:
        def started(known: KnownFile) -> None:
            self._manifest.started(row.path, known.size_bytes, known.validator, known.digest)
            if known.size_bytes is not None:
                self._room.adjust(row.path, known.size_bytes)
            elif self._on_fetched:
                raise RemoteError("the server does not say how long the file is, and room is limited")

        size_bytes, checksum = Transfer(
            self._files,
            row.path,
            target,
            KnownFile(row.size_bytes, row.validator, row.digest),
            started=started,
            moved=self._events.moved,
            stop=self._stop,
        ).run()
        self._manifest.fetched(row.path, size_bytes, checksum, keep=self._on_fetched is not None)
        return FetchedFile(row.path, target, size_bytes)

    def _drop_part(self, row: FileRow) -> None:
        """Remove what is here of a file that failed, where room is limited or nothing is here."""
        try:
            target = local_path(self._manifest.folder, row.path)
        except HostileNameError:
            return
        part = target.with_name(target.name + PART)
        if part.is_file() and (self._on_fetched or part.stat().st_size == 0):
            part.unlink()

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        with self._lock:
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1

    def _count(self, is_exhausted: bool) -> None:
        with self._lock:
            self._exhausted = self._exhausted + 1 if is_exhausted else 0
            if self._exhausted >= MOST_EXHAUSTED:
                raise RemoteError(
                    f"{self._files.url} gave nothing of {MOST_EXHAUSTED} files in a row; run the command "
                    "again later, it goes on where it ended"
                )


def _is_here(target: Path, row: FileRow) -> bool:
    return target.is_file() and target.stat().st_size == row.size_bytes
