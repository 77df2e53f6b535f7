"""Streaming of an entry that may be larger than the disk: used files are deleted for the next ones."""

import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from cryopick_ray.empiar.disk_budget import DiskBudget
from cryopick_ray.empiar.download_manifest import Manifest
from cryopick_ray.empiar.fetcher import POLL_S, FetchedFile, Fetcher, FetchEvents
from cryopick_ray.transfer.response import FileSource
from cryopick_ray.transfer.transfer_errors import RemoteError


class Stream:
    """Yields the selected files of a manifest as they complete, at most ``keep_bytes`` on the disk at a time.

    A file is deleted once :meth:`done` is called for it, unless files are kept. Files that a killed run had
    fetched and not used come first in the next one. A consumer that waits for other things in the same thread
    calls :meth:`take`; any other iterates over :meth:`batches`.

    Parameters
    ----------
    keep_bytes
        Limit of bytes on the disk: of files being fetched, complete, or handed out and not done.
    keep_files
        Whether files stay when they are done.

    Attributes
    ----------
    manifest
        State of all selected files.
    """

    def __init__(
        self,
        files: FileSource,
        manifest: Manifest,
        events: FetchEvents,
        *,
        keep_bytes: int,
        keep_files: bool = False,
        connections: int,
        stop: threading.Event,
    ) -> None:
        self.manifest, self._budget, self._keeps = manifest, DiskBudget(keep_bytes), keep_files
        self._arrived = threading.Condition()
        self._ready: deque[FetchedFile] = deque()
        self._out: dict[str, FetchedFile] = {}
        self._fetcher = Fetcher(
            files,
            manifest,
            events,
            connections=connections,
            stop=stop,
            budget=self._budget,
            on_fetched=self._arrive,
        )

    def __enter__(self) -> Self:
        """Start fetching."""
        self._fetcher.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """Stop fetching; files that are not done stay for the next run."""
        self._fetcher.__exit__(kind, error, trace)

    @property
    def is_exhausted(self) -> bool:
        """Whether all files have been handed out."""
        with self._arrived:
            return not self._fetcher.working and not self._ready

    @property
    def is_stalled(self) -> bool:
        """Whether no file can arrive before one that was handed out is done."""
        return self._fetcher.working > 0 and self._budget.waiting > 0 and not self._fetcher.busy

    def take(self, n: int, timeout_s: float = math.inf) -> list[FetchedFile]:
        """Return up to ``n`` complete files.

        Waits for ``n``; returns fewer after ``timeout_s``, when there is no space for more, or at the end.
        """
        until = time.monotonic() + timeout_s
        with self._arrived:
            while len(self._ready) < n and self._fetcher.working:
                has_come = self._arrived.wait(max(0.0, min(POLL_S, until - time.monotonic())))
                is_idle = not has_come and not self._fetcher.busy
                if time.monotonic() >= until or (is_idle and (self._ready or self.is_stalled)):
                    break
            self._fetcher.check()
            taken = [self._ready.popleft() for _ in range(min(n, len(self._ready)))]
            self._out.update({file.remote_path: file for file in taken})
            return taken

    def batches(self, n: int) -> Iterator[list[FetchedFile]]:
        """Yield batches of up to ``n`` files; each must be done before there is space for the next.

        Raises
        ------
        RemoteError
            There is no space for more, and none of the files handed out is done.
        """
        while not self.is_exhausted:
            batch = self.take(n)
            if batch:
                yield batch
            elif self.is_stalled:
                raise RemoteError(
                    f"{len(self._out)} files were handed out and none is done, and there is no room for "
                    "more; keep more bytes or use smaller batches"
                )

    def done(self, remote_paths: Iterable[str]) -> None:
        """Record that files were used, and delete them unless they are kept."""
        for remote_path in remote_paths:
            self._end(remote_path, "")

    def failed(self, remote_path: str, reason: str) -> None:
        """Delete a file that could not be used, and record the reason."""
        self._end(remote_path, reason)

    def _end(self, remote_path: str, reason: str) -> None:
        with self._arrived:
            file = self._out.pop(remote_path, None)
        if file is None:
            raise KeyError(f"{remote_path} is not handed out")
        # Noted first: a file that is left over wastes room, one that is missing would be fetched again.
        self.manifest.ended(remote_path, "failed" if reason else "ingested", reason)
        if not self._keeps:
            file.path.unlink(missing_ok=True)
            self._budget.free(remote_path)

    def _arrive(self, file: FetchedFile) -> None:
        with self._arrived:
            self._ready.append(file)
            self._arrived.notify_all()
