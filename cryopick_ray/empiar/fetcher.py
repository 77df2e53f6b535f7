"""Fetches files in several threads until every selected file is complete or has failed."""

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
from cryopick_ray.transfer.transfer import FileVersion, Transfer
from cryopick_ray.transfer.transfer_errors import (
    ExhaustedError,
    HostileNameError,
    NoRoomError,
    RemoteError,
    StoppedError,
)

POLL_S = 0.5
"""Between checks of the files that other runs have claimed."""
MOST_EXHAUSTED = 20
"""Files in a row of which no try brought a byte: the server is down, and the run ends."""
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)


class FetchEvents(Protocol):
    """Listener to a download; called from several threads."""

    def moved(self, n_bytes: int) -> None:
        """Count received bytes; negative where a partial file was discarded."""

    def ended(self, path: str, reason: str) -> None:
        """Note that a file is complete, or the ``reason`` why it failed."""


@dataclass(frozen=True)
class FetchedFile:
    """A file that is complete on this machine.

    Attributes
    ----------
    remote_path
        Below the entry; the micrograph's id, if the download's folder is the source's root.
    path
        Its local path.
    """

    remote_path: str
    path: Path
    size_bytes: int


class Fetcher:
    """Fetches the files that a manifest has selected, one thread per connection.

    Parameters
    ----------
    stop
        Ends all threads; shared with the source's client.
    budget
        Limit of disk space.
    on_fetched
        Called with a complete file, which then stays claimed; ``None`` to keep files and release the claim.
    """

    def __init__(
        self,
        files: FileSource,
        manifest: Manifest,
        events: FetchEvents,
        *,
        connections: int,
        stop: threading.Event,
        budget: DiskBudget | None = None,
        on_fetched: Callable[[FetchedFile], None] | None = None,
    ) -> None:
        self._files, self._manifest, self._events = files, manifest, events
        self._stop, self._budget, self._on_fetched = stop, budget or DiskBudget(None), on_fetched
        self._states: tuple[State, ...] = (
            ("listed", "partial", "fetched") if on_fetched else ("listed", "partial")
        )
        self._lock = threading.Lock()
        self._busy = 0
        self._exhausted, self._fatal = 0, list[BaseException]()
        self._threads = [threading.Thread(target=self._guarded, daemon=True) for _ in range(connections)]

    def __enter__(self) -> Self:
        """Start the threads."""
        if self._on_fetched is None:
            self._forget_missing()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """End all threads; partial files stay."""
        if kind is not None or self.working:
            self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def working(self) -> int:
        """Number of threads that have not ended."""
        return sum(thread.is_alive() for thread in self._threads)

    @property
    def busy(self) -> int:
        """Number of threads that are fetching, waiting neither for disk space nor for other runs."""
        return self._busy

    def check(self) -> None:
        """Raise the error that ended a thread."""
        if self._fatal:
            raise self._fatal[0]

    def wait(self) -> None:
        """Wait until every file is complete or has failed."""
        for thread in self._threads:
            while thread.is_alive():
                thread.join(POLL_S)  # so that an interrupt is heard
        self.check()

    def _forget_missing(self) -> None:
        """Mark fetched files that are missing from the disk to be fetched again."""
        for row in self._manifest.chosen():
            if row.state == "fetched" and not _is_complete(local_path(self._manifest.folder, row.path), row):
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
                self._process(row)
            elif self._manifest.is_settled(self._states):
                return
            else:
                self._stop.wait(POLL_S)

    def _process(self, row: FileRow) -> None:
        """Fetch a claimed file and record the outcome."""
        try:
            target = local_path(self._manifest.folder, row.path)
            self._budget.take(row.path, self._expected(row), self._stop)
            with self._counted_busy():
                fetched = self._already_fetched(row, target) or self._fetch(row, target)
        except (StoppedError, NoRoomError) as error:
            self._budget.free(row.path)
            self._manifest.put_back(row.path)
            if isinstance(error, StoppedError):
                raise
        except (RemoteError, OSError) as error:
            if isinstance(error, OSError) and error.errno in _DISK:
                self._manifest.put_back(row.path)
                raise
            self._drop_part(row)
            self._budget.free(row.path)
            self._manifest.ended(row.path, "failed", str(error))
            self._events.ended(row.path, str(error))
            self._count(isinstance(error, ExhaustedError))
        else:
            self._count(False)
            self._events.ended(row.path, "")
            if self._on_fetched:
                self._on_fetched(fetched)
            else:
                self._budget.free(row.path)

    def _expected(self, row: FileRow) -> int:
        if row.expected_bytes is not None:
            return row.expected_bytes
        return (self._files.size(row.path) or 0) if self._on_fetched else 0

    def _already_fetched(self, row: FileRow, target: Path) -> FetchedFile | None:
        """Return the file if an earlier run fetched it and did not use it."""
        if row.state != "fetched" or not _is_complete(target, row):
            return None
        return FetchedFile(row.path, target, row.size_bytes or 0)

    def _fetch(self, row: FileRow, target: Path) -> FetchedFile:
        def started(version: FileVersion) -> None:
            self._manifest.started(row.path, version.size_bytes, version.validator, version.digest)
            if version.size_bytes is not None:
                self._budget.adjust(row.path, version.size_bytes)
            elif self._on_fetched:
                raise RemoteError("the server does not say how long the file is, and room is limited")

        size_bytes, checksum = Transfer(
            self._files,
            row.path,
            target,
            FileVersion(row.size_bytes, row.validator, row.digest),
            started=started,
            moved=self._events.moved,
            stop=self._stop,
        ).run()
        self._manifest.fetched(row.path, size_bytes, checksum, keep=self._on_fetched is not None)
        return FetchedFile(row.path, target, size_bytes)

    def _drop_part(self, row: FileRow) -> None:
        """Remove the partial file of a failed one where space is limited or it is empty."""
        try:
            target = local_path(self._manifest.folder, row.path)
        except HostileNameError:
            return
        part = target.with_name(target.name + PART)
        if part.is_file() and (self._on_fetched or part.stat().st_size == 0):
            part.unlink()

    @contextmanager
    def _counted_busy(self) -> Iterator[None]:
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


def _is_complete(target: Path, row: FileRow) -> bool:
    return target.is_file() and target.stat().st_size == row.size_bytes
