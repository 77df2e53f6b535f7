"""Index pages of a web server, followed from folder to folder."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from html import unescape
from urllib.parse import urlsplit

from cryopick_ray.transfer.http import Client
from cryopick_ray.transfer.names import MAX_PATH_BYTES, child_of, encoded
from cryopick_ray.transfer.response import RefusedFile, RemoteFile, Response
from cryopick_ray.transfer.transfer_errors import HostileNameError, MissingError, RemoteError

MOST_PAGE_BYTES = 2**27
"""An Apache index takes about 250 bytes a file: half a million files in one folder."""
MOST_DEPTH = 16
MOST_FOLDERS = 50_000
MOST_FILES = 5_000_000

MOST_TAG_BYTES, MOST_ROW_BYTES = 4096, 500
_TAG = re.compile(rb"</?([A-Za-z][A-Za-z0-9]{0,15})(?=[\s/>])([^<>]{0,%d})>" % MOST_TAG_BYTES)
"""Whatever a page leaves open, its length bounds the time it takes: a tag ends where the next begins."""
_HREF = re.compile(rb"""\bhref\s{0,9}=\s{0,9}(?:"([^"]*)"|'([^']*)'|([^\s"']+))""", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d|\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d")
_SIZE = re.compile(r"(?<![\w.:-])(\d{1,16}(?:\.\d{1,3})?)([KMGTP]?)(?![\w.:-])")
_UNITS = {unit: 1024**power for power, unit in enumerate(["", "K", "M", "G", "T", "P"])}


class HttpFiles:
    """The files of an entry on a web server that makes index pages (Apache's and nginx's forms).

    Parameters
    ----------
    url
        Address of the entry's folder.
    """

    def __init__(self, url: str, client: Client) -> None:
        self._url, self._client = url.rstrip("/"), client

    @property
    def url(self) -> str:
        """Its address."""
        return self._url

    def walk(self, folder: str) -> Iterator[RemoteFile | RefusedFile]:
        """List all files below a folder.

        Raises
        ------
        MissingError
            There is no such folder.
        RemoteError
            A page cannot be had, or there is no end to them.
        """
        waiting, folders, files = [folder.strip("/")], 0, 0
        while waiting:
            here = waiting.pop()
            folders += 1
            below: list[str] = []
            try:
                for found in self._folder(here):
                    if isinstance(found, str):
                        below.append(found)
                        continue
                    files += 1
                    yield found
            except MissingError as error:
                if folders == 1:
                    raise
                yield RefusedFile(f"{here}/", str(error))
            waiting += reversed(below)
            if folders + len(waiting) > MOST_FOLDERS or files > MOST_FILES:
                raise RemoteError(
                    f"{self._url}/{folder} lists more than {MOST_FOLDERS} folders or {MOST_FILES} files"
                )

    def size(self, path: str) -> int | None:
        """Ask for the size of a file in bytes."""
        return self._client.head(self._address(path))

    def open(self, path: str, start: int, validator: str | None) -> AbstractContextManager[Response]:
        """Ask for a file."""
        return self._client.open(self._address(path), start, validator)

    def _address(self, path: str) -> str:
        return f"{self._url}/{encoded(path)}"

    def _folder(self, folder: str) -> Iterator[str | RemoteFile | RefusedFile]:
        """List one folder: its folders by path, and its files."""
        if folder.count("/") >= MOST_DEPTH or len(folder.encode()) > MAX_PATH_BYTES:
            yield RefusedFile(
                folder, f"folders deeper than {MOST_DEPTH}, or a longer path than {MAX_PATH_BYTES}"
            )
            return
        url = f"{self._address(folder)}/" if folder else f"{self._url}/"
        try:
            page = self._client.page(url, at_most=MOST_PAGE_BYTES)
        except MissingError as error:
            raise MissingError(f"{url}: {error}") from error
        seen: set[str] = set()
        for href, rest in links(page):
            try:
                child = child_of(href, urlsplit(url).path)
            except HostileNameError as error:
                yield RefusedFile(f"{folder}/{href[:200]!r}", str(error))
                continue
            if child is None or child[0] in seen:
                continue
            seen.add(child[0])
            path = f"{folder}/{child[0]}" if folder else child[0]
            yield path if child[1] else _file(path, rest)


def links(page: bytes) -> Iterator[tuple[str, str]]:
    """Yield each link of an index page, and the text between it and the next: date and size."""
    href, text, is_inside = "", [], False
    after = 0
    # Bytes of a name outside ASCII are percent-encoded in links; the shown text does not matter.
    for tag in _TAG.finditer(page):
        if href and not is_inside:
            text.append(page[after : min(tag.start(), after + MOST_ROW_BYTES)].decode("latin-1"))
        after = tag.end()
        if tag[1].lower() != b"a":
            continue
        is_inside = not tag[0].startswith(b"</")
        found = _HREF.search(tag[2]) if is_inside else None
        if found:
            if href:
                yield href, _row(text)
            href, text = unescape((found[1] or found[2] or found[3] or b"").decode("latin-1")), []
    if href:
        yield href, _row([*text, page[after : after + MOST_ROW_BYTES].decode("latin-1")])


def _row(text: list[str]) -> str:
    return unescape(" ".join(text)[:MOST_ROW_BYTES])


def _file(path: str, rest: str) -> RemoteFile:
    """Read date and size out of the text behind a link, where they are."""
    date = _DATE.search(rest)
    size = _SIZE.search(rest, date.end() if date else 0)
    if size is None:
        return RemoteFile(path, modified=date[0] if date else "")
    number, unit = size.groups()
    return RemoteFile(
        path,
        size_bytes=int(float(number) * _UNITS[unit]),
        is_exact=not unit and "." not in number,
        modified=date[0] if date else "",
    )
