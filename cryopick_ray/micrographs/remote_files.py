"""Files at any URL: ``s3://``, ``gs://``, or a web server that makes index pages."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.reader import is_micrograph_name, is_movie_name
from cryopick_ray.transfer.backoff import Bandwidth
from cryopick_ray.transfer.http import Client
from cryopick_ray.transfer.index_pages import HttpFiles
from cryopick_ray.transfer.mirror import MirrorFiles
from cryopick_ray.transfer.names import check_name
from cryopick_ray.transfer.response import FileSource, RemoteFile
from cryopick_ray.transfer.transfer import KnownFile, Transfer

SCHEMES = ("s3", "gs", "http", "https")
CONNECTIONS = 4
"""To one host, of one process."""


def list_remote(url: str) -> tuple[str, list[str]]:
    """Return the root and the paths below it, sorted, of what a URL names: a folder, or one file.

    Raises
    ------
    UsageError
        The URL is of another kind.
    RemoteError
        It cannot be listed, or there is nothing.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES or not rest.strip("/"):
        raise UsageError(f"`inputs` {url!r}: expected a URL of {', '.join(f'{one}://' for one in SCHEMES)}")
    root, _, name = url.rstrip("/").rpartition("/")
    if is_micrograph_name(name) or is_movie_name(name):
        check_name(name)
        return root, [name]
    root = url.rstrip("/")
    return root, sorted(one.path for one in _files(root).walk("") if isinstance(one, RemoteFile))


def size_bytes(url: str, path: str) -> int | None:
    """Ask how large the file ``path`` below ``url`` is; ``None`` where the server does not tell."""
    return _files(url).size(path)


@contextmanager
def fetched(url: str, path: str) -> Iterator[Path]:
    """Give a private copy of the file ``path`` below ``url`` that keeps its name; it is removed after.

    Raises
    ------
    RemoteError
        It cannot be had.
    """
    with tempfile.TemporaryDirectory(prefix="cryopick-") as folder:
        target = Path(folder) / path.rpartition("/")[2]
        Transfer(
            _files(url),
            path,
            target,
            KnownFile(),
            started=lambda known: None,
            moved=lambda n_bytes: None,
            stop=threading.Event(),
        ).run()
        yield target


@cache
def _files(url: str) -> FileSource:
    bandwidth = Bandwidth(None)
    if url.startswith("http"):
        return HttpFiles(url, Client(CONNECTIONS, bandwidth, threading.Event()))
    return MirrorFiles(url, bandwidth)
