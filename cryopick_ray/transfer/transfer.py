"""One file from there to here: resumed where it broke off, whole or not at all."""

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import random
from typing import BinaryIO

import google_crc32c

from cryopick_ray.transfer.backoff import pause_s
from cryopick_ray.transfer.names import PART
from cryopick_ray.transfer.response import FileSource, Response
from cryopick_ray.transfer.transfer_errors import (
    ChangedError,
    ExhaustedError,
    PassingError,
    RemoteError,
    StoppedError,
)

TRIES = 6
"""In a row, without one more byte."""
MOST_CHANGES = 3
"""A file that is another one so often while it is fetched is given up."""
MOST_FILE_BYTES = 2**42
"""No micrograph or movie has 4 TiB."""
SPARE_BYTES = 2**28
"""Of the disk, left free."""
BLOCK_BYTES = 2**20


@dataclass(frozen=True)
class KnownFile:
    """What the server said of the file whose first part lies here."""

    size_bytes: int | None = None
    validator: str | None = None
    digest: str | None = None


class Transfer:
    """Fetches one file.

    Parameters
    ----------
    source, path
        Where from.
    target
        Where to; until it is whole the file has :data:`PART` appended.
    known
        Of the part that is here.
    started
        Told what the server says of the file, before its first byte is written.
    moved
        Told of bytes as they come, and of the negative number where a part is thrown away.
    stop
        Ends the transfer within a chunk.
    """

    def __init__(
        self,
        source: FileSource,
        path: str,
        target: Path,
        known: KnownFile,
        *,
        started: Callable[[KnownFile], None],
        moved: Callable[[int], None],
        stop: threading.Event,
    ) -> None:
        self._source, self._path, self._target, self._known = source, path, target, known
        self._started, self._moved, self._stop = started, moved, stop

    def run(self) -> tuple[int, str]:
        """Return the size in bytes and the checksum of the file, now whole in its place.

        Raises
        ------
        RemoteError
            It cannot be had.
        StoppedError
            ``stop`` was set.
        """
        if self._target.is_file() and (size_bytes := self._size_there()) == self._target.stat().st_size:
            with self._target.open("rb") as file:  # renamed and not noted, or brought here by other means
                return size_bytes, _checked(file, self._known.digest)
        self._target.parent.mkdir(parents=True, exist_ok=True)
        part = self._target.with_name(self._target.name + PART)
        with _part_file(part) as file:
            self._fill(file)
            try:
                checksum = _checked(file, self._known.digest)
            except ChangedError:  # damaged on its way: once more from the start
                self._throw_away(file)
                self._fill(file)
                checksum = _checked(file, self._known.digest)
            size_bytes = file.tell()
            os.fsync(file.fileno())
        part.replace(self._target)
        return size_bytes, checksum

    def _size_there(self) -> int | None:
        return self._source.size(self._path) if self._known.size_bytes is None else self._known.size_bytes

    def _fill(self, file: BinaryIO) -> None:
        """Ask until the part is the whole."""
        tries = changes = 0
        while True:
            here = file.seek(0, os.SEEK_END)
            if here and here == self._known.size_bytes:
                return
            try:
                self._ask(file, here)
                return
            except ChangedError as error:
                changes += 1
                self._throw_away(file)
                if changes > MOST_CHANGES:
                    raise RemoteError(f"the file keeps changing while it is fetched: {error}") from error
            except PassingError as error:
                tries = 1 if file.seek(0, os.SEEK_END) > here else tries + 1
                if tries >= TRIES:
                    raise ExhaustedError(f"{error}; {TRIES} tries brought nothing more") from error
                if self._stop.wait(pause_s(tries, error.retry_after_s, random())):
                    raise StoppedError from error

    def _ask(self, file: BinaryIO, here: int) -> None:
        """Append what one answer brings."""
        if here and self._known.validator is None:
            self._throw_away(file)  # nobody could tell whether the rest belongs to it
            here = 0
        with self._source.open(self._path, here, self._known.validator) as body:
            if here and body.start == here and self._known.size_bytes not in (None, body.size_bytes):
                raise ChangedError(f"it has {body.size_bytes} bytes, {self._known.size_bytes} before")
            if body.start != here:
                self._throw_away(file)
            self._known = KnownFile(body.size_bytes, body.validator, body.digest or self._known_digest(body))
            self._check_size(body.size_bytes, file.tell())
            self._started(self._known)
            for chunk in body.chunks:
                if self._stop.is_set():
                    raise StoppedError
                file.write(chunk)
                self._moved(len(chunk))
            if body.size_bytes is not None and file.tell() < body.size_bytes:
                raise PassingError(f"the connection ended after {file.tell()} of {body.size_bytes} bytes")
            if body.size_bytes is not None and file.tell() > body.size_bytes:
                raise ChangedError(f"{file.tell()} bytes came of {body.size_bytes}")

    def _known_digest(self, body: Response) -> str | None:
        """Keep the checksum that an earlier answer of the same file offered, if this one repeats none."""
        return self._known.digest if body.start else None

    def _check_size(self, size_bytes: int | None, here: int) -> None:
        if size_bytes is None:
            return
        if size_bytes > MOST_FILE_BYTES:
            raise RemoteError(f"the server states {size_bytes} bytes; at most {MOST_FILE_BYTES} are believed")
        free = shutil.disk_usage(self._target.parent).free - SPARE_BYTES
        if size_bytes - here > free:
            raise RemoteError(
                f"the file needs {size_bytes - here} bytes more, {max(0, free)} are free in "
                f"{self._target.parent} beside {SPARE_BYTES} that stay free; choose another `out`"
            )

    def _throw_away(self, file: BinaryIO) -> None:
        self._moved(-file.seek(0, os.SEEK_END))
        file.truncate(0)
        file.seek(0)


@contextmanager
def _part_file(part: Path) -> Iterator[BinaryIO]:
    """Open a part at its end, never through a link; unbuffered, so that its length is what arrived."""
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        file.seek(0, os.SEEK_END)
        yield file


def _checked(file: BinaryIO, digest: str | None) -> str:
    """Return the checksum of a whole file.

    Raises
    ------
    ChangedError
        It is not the file of the ``digest`` that the server offered.
    """
    kind, _, expected = (digest or "").partition(":")
    offered = hashlib.new(kind, usedforsecurity=False) if kind else None
    checksum = 0
    file.seek(0)
    while block := file.read(BLOCK_BYTES):
        checksum = google_crc32c.extend(checksum, block)
        if offered:
            offered.update(block)
    if offered and offered.hexdigest() != expected:
        raise ChangedError(f"the {kind} of what came is {offered.hexdigest()}, the server offers {expected}")
    return f"crc32c:{checksum:08x}"
