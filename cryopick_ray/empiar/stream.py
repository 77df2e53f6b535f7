"""An entry that may be larger than the disk: files come, are used, and make room for the next."""

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
    """Hands out the chosen files of a manifest as they are complete, at most so many bytes at a time.

    A file is deleted once it is said to be done, unless files are kept. What a killed run had fetched and not
    used is handed out first by the next one. A consumer that works in one thread with other things to wait
    for calls :meth:`take`; one that does nothing else iterates over :meth:`batches`.

    Parameters
    ----------
    keep_bytes
        What lies on the disk at most: files that are coming, here, or handed out and not done.
    keep_files
        Whether files stay when they are done.

    Attributes
    ----------
    manifest
        Knows all chosen files and how far they are.
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
        self.manifest, self._room, self._keeps = manifest, DiskBudget(keep_bytes), keep_files
        self._arrived = threading.Condition()
        self._ready: deque[FetchedFile] = deque()
        self._out: dict[str, FetchedFile] = {}
        self._fetcher = Fetcher(
            files,
            manifest,
            events,
            connections=connections,
            stop=stop,
            room=self._room,
            on_fetched=self._arrive,
        )

    def __enter__(self) -> Self:
        """Start fetching."""
        self._fetcher.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """End; what is here and not done stays for the next run."""
        self._fetcher.__exit__(kind, error, trace)

    @property
    def is_exhausted(self) -> bool:
        """Whether all files have been handed out."""
        with self._arrived:
            return not self._fetcher.working and not self._ready

    @property
    def is_stalled(self) -> bool:
        """Whether nothing more comes before something is done."""
        return self._fetcher.working > 0 and self._room.waiting > 0 and not self._fetcher.busy

    def take(self, n: int, timeout_s: float = math.inf) -> list[FetchedFile]:
        """Return up to ``n`` complete files.

        Waits for ``n``; fewer come when the time is over, when there is no room for more, or at the end.
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
        """Yield batches of up to ``n`` files; each must be done before there is room for what follows.

        Raises
        ------
        RemoteError
            There is no room for more, and nothing of what was handed out is done.
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
        """Note that files were used, and delete them unless they are kept."""
        for remote_path in remote_paths:
            self._end(remote_path, "")

    def failed(self, remote_path: str, reason: str) -> None:
        """Delete a file that could not be used, and remember why."""
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
            self._room.free(remote_path)

    def _arrive(self, file: FetchedFile) -> None:
        with self._arrived:
            self._ready.append(file)
            self._arrived.notify_all()
