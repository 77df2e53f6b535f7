"""A mirror of an archive: a folder of this machine, or a bucket."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, PreconditionError, UnauthenticatedError
from obstore.store import LocalStore, from_url

from cryopick_ray.transfer.backoff import Bandwidth
from cryopick_ray.transfer.http import CHUNK_BYTES, CONNECT_S, SILENCE_S
from cryopick_ray.transfer.names import check_name
from cryopick_ray.transfer.response import RefusedFile, RemoteFile, Response
from cryopick_ray.transfer.transfer_errors import (
    ChangedError,
    HostileNameError,
    MissingError,
    PassingError,
    RemoteError,
)


class MirrorFiles:
    """The files of an entry in a folder, or under ``s3://BUCKET/PREFIX`` or ``gs://BUCKET/PREFIX``.

    Credentials and endpoint are what the environment says.
    """

    def __init__(self, url: str, bandwidth: Bandwidth) -> None:
        self._url, self._bandwidth = url.rstrip("/"), bandwidth
        if "://" not in url and not os.path.isdir(url):
            raise MissingError(f"{url} is not there")
        try:
            self._store: Any = _bucket(self._url) if "://" in url else LocalStore(url)
        except (BaseError, OSError, ValueError) as error:
            raise RemoteError(f"{url} cannot be opened: {_first_line(error)}") from error

    @property
    def url(self) -> str:
        """Its address."""
        return self._url

    def walk(self, folder: str) -> Iterator[RemoteFile | RefusedFile]:
        """List all files below a folder."""
        found = False
        try:
            for batch in obstore.list(self._store, folder):
                for entry in batch:
                    found = True
                    yield from _listed(entry)
        except FileNotFoundError:
            pass
        except (BaseError, OSError, ValueError) as error:
            raise RemoteError(f"{self._url}/{folder} cannot be listed: {_first_line(error)}") from error
        if not found:
            raise MissingError(f"{self._url}/{folder} has no files")

    def size(self, path: str) -> int | None:
        """Ask for the size of a file in bytes."""
        with _translated(0):
            return int(obstore.head(self._store, path)["size"])

    @contextmanager
    def open(self, path: str, start: int, validator: str | None) -> Iterator[Response]:
        """Ask for a file from byte ``start`` on."""
        with _translated(start):
            options: Any = {"if_match": validator, "range": {"offset": start}} if start and validator else {}
            answer = obstore.get(self._store, path, options=options)
            yield Response(
                start=answer.range[0],
                size_bytes=int(answer.meta["size"]),
                validator=answer.meta["e_tag"],
                digest=None,
                chunks=self._chunks(answer),
            )

    def _chunks(self, answer: Any) -> Iterator[bytes]:
        for chunk in answer.stream(min_chunk_size=CHUNK_BYTES):
            self._bandwidth.pay(len(chunk))
            yield bytes(chunk)


def _listed(entry: Any) -> Iterator[RemoteFile | RefusedFile]:
    path = str(entry["path"])
    names = path.split("/")
    if any(name.startswith(".") and name not in (".", "..") for name in names):
        return
    try:
        for name in names:
            check_name(name)
    except HostileNameError as error:
        yield RefusedFile(repr(path[:200]), str(error))
        return
    yield RemoteFile(path, int(entry["size"]), True, entry["last_modified"].isoformat(" ", "minutes"))


def _bucket(url: str) -> Any:
    if "@" in url.split("/")[2]:
        raise RemoteError("a mirror's address holds no credentials; give them in the environment")
    options: Any = {
        "connect_timeout": timedelta(seconds=CONNECT_S),
        "read_timeout": timedelta(seconds=SILENCE_S),
    }
    if os.environ.get("AWS_ENDPOINT_URL", "").startswith(("http://localhost", "http://127.0.0.1")):
        options["allow_http"] = True
    return from_url(url, client_options=options)


@contextmanager
def _translated(start: int) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise MissingError("the mirror has no such file") from error
    except PreconditionError as error:
        raise ChangedError("the file has changed") from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise RemoteError(f"the mirror refuses: {_first_line(error)}") from error
    except BaseError as error:
        if start and "range" in str(error).lower():  # it starts at or behind the end
            raise ChangedError("the file is shorter than what was already fetched of it") from error
        raise PassingError(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__
