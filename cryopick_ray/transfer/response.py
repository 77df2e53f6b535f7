"""Listed files and responses, common to web servers, buckets and folders."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class RemoteFile:
    """A file in a listing.

    Attributes
    ----------
    path
        Below the entry, with ``/``: ``data/images/a.mrc``.
    size_bytes
        As listed; ``None`` where the listing does not say.
    is_exact
        Whether the listed size is to the byte; index pages round.
    modified
        Date in the listing's own form.
    """

    path: str
    size_bytes: int | None = None
    is_exact: bool = False
    modified: str = ""


@dataclass(frozen=True)
class RefusedFile:
    """A name in a listing that is refused as unsafe, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Response:
    """A response whose body is yet to be read.

    Attributes
    ----------
    start
        Offset of the first byte in the file: what was asked for, or 0 where the file is another one now.
    size_bytes
        Of the whole file; ``None`` if only its end will tell.
    validator
        ETag or date of this version of the file.
    digest
        ``sha256:`` or ``md5:`` and digits, of the whole file, where the server offers one.
    """

    start: int
    size_bytes: int | None
    validator: str | None
    digest: str | None
    chunks: Iterator[bytes]


class FileSource(Protocol):
    """The source of one entry's files."""

    @property
    def url(self) -> str:
        """URL, without credentials."""

    def walk(self, folder: str) -> Iterator[RemoteFile | RefusedFile]:
        """List all files below a folder; :class:`MissingError` if there is none."""

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes."""

    def open(self, path: str, start: int, validator: str | None) -> AbstractContextManager[Response]:
        """Request a file from byte ``start`` on, or all of it if ``validator`` no longer matches."""
