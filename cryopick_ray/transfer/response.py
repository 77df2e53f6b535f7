"""A file on its way, wherever it comes from."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class RemoteFile:
    """A file that a listing names.

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
    """A name in a listing that is not believed, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Response:
    """An answer whose bytes are yet to come.

    Attributes
    ----------
    start
        Offset of the first byte in the file: what was asked for, or 0 where the file is another one now.
    size_bytes
        Of the whole file; ``None`` if only its end will tell.
    validator
        What tells this state of the file from others.
    digest
        ``sha256:`` or ``md5:`` and digits, of the whole file, where the server offers one.
    """

    start: int
    size_bytes: int | None
    validator: str | None
    digest: str | None
    chunks: Iterator[bytes]


class FileSource(Protocol):
    """Where the files of one entry lie."""

    @property
    def url(self) -> str:
        """Its address, without credentials."""

    def walk(self, folder: str) -> Iterator[RemoteFile | RefusedFile]:
        """List all files below a folder; :class:`MissingError` if there is none."""

    def size(self, path: str) -> int | None:
        """Ask for the size of a file in bytes."""

    def open(self, path: str, start: int, validator: str | None) -> AbstractContextManager[Response]:
        """Ask for a file from byte ``start`` on, as long as it is the one that ``validator`` tells."""
