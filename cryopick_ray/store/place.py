"""Storage by key in a folder or a bucket; objects are written and read whole."""

import os
import re
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from random import uniform
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
    UnknownConfigurationKeyError,
)
from obstore.store import LocalStore, ObjectStore, from_url

from cryopick_ray.errors import DamagedError, StoreError, UnreachableError
from cryopick_ray.store.publish import check_file

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ClientConfig, RetryConfig

UNREACHABLE_S = 60.0
"""A bucket that fails for so long, asked again and again, is unreachable."""
PAUSES_S = (0.1, 8.0)  # first and longest pause before it is asked again
CONNECT_S, SILENCE_S, REQUEST_S = 5.0, 30.0, 300.0
"""The longest that connecting, waiting for an answer or more of it, and a request as a whole may take."""
RETRIES, RETRYING_S = 3, 5.0
"""How often, and for how long, one of the requests that a call makes is made again at once."""
LARGEST_BYTES = 4 << 30
"""Objects of ours are smaller; what is larger is not read into memory."""

PAGE = 1000
"""Keys of one answer of a bucket's listing."""

_ENDPOINTS = {
    "s3": ("AWS", ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")),
    "gs": ("GOOGLE", ("GOOGLE_BASE_URL",)),
}
_INSTANCE = ("/latest/api/token", "/computeMetadata/")
"""Paths by which instances give credentials."""
_PERMANENT = (
    InvalidPathError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
    UnknownConfigurationKeyError,
)
_TRANSIENT_STATUS = (408, 409, 425, 429)
"""Of the 4xx, those that another try may mend; S3 calls an upload that took too long a 400, too."""

T = TypeVar("T")


class Place:
    """A root under which objects lie by key (``a/b/c``), on disk or in a bucket.

    Objects appear whole or not at all, whatever is killed: on disk a write is staged and renamed.
    Requests to a bucket are retried after transient errors (no connection, timeouts, 5xx, throttling, cut
    responses), with growing pauses; credentials and endpoint come from the environment or the instance.

    Parameters
    ----------
    url
        A folder, or ``s3://bucket/prefix`` or ``gs://bucket/prefix``.
    create
        Make the folder if it is missing; else its absence is a :class:`StoreError`.

    Raises
    ------
    UnreachableError
        Of all methods, if a bucket keeps failing for ``UNREACHABLE_S``.
    """

    def __init__(self, url: str, *, create: bool = False) -> None:
        self.url = url.rstrip("/") if is_bucket(url) else url
        try:
            self._store: ObjectStore = (
                _bucket(self.url)
                if is_bucket(url)
                else LocalStore(url, mkdir=create, automatic_cleanup=False)
            )
        except (BaseError, OSError, ValueError) as error:
            is_missing = not create and not is_bucket(url)
            what = "is not there" if is_missing else f"cannot be opened: {_first_line(error)}"
            raise StoreError(f"{url} {what}") from error

    def put(self, key: str, data: bytes) -> None:
        """Write ``data`` under ``key``, replacing what was there."""
        self._check_own(key)
        self._retried("written", key, lambda: obstore.put(self._store, key, data, use_multipart=False))

    def put_new(self, key: str, data: bytes) -> bool:
        """Write ``data`` under ``key`` unless something is there: the first published wins.

        ``False`` may mean that it was this very call, where a bucket's first answer was lost.
        """
        if path := self._check_own(key):
            if path.is_symlink():
                path.unlink()  # it would pass for an object that is there
            check_file(path)

        def create() -> None:
            obstore.put(self._store, key, data, mode="create", use_multipart=False)

        try:
            self._retried("written", key, create)
        except AlreadyExistsError:
            return False
        return True

    def put_file(self, key: str, path: Path) -> None:
        """Write a file's content under ``key``; of a large one some parts at a time are in memory."""
        self._check_own(key)
        self._retried("written", key, lambda: obstore.put(self._store, key, path))

    def get(self, key: str, *, at_most: int = LARGEST_BYTES) -> bytes | None:
        """Return the object under ``key``, or ``None``.

        Raises
        ------
        DamagedError
            If it has more than ``at_most`` bytes; they are not read.
        """
        if not self._is_object(key):
            return None

        def read() -> bytes | int:
            response = obstore.get(self._store, key)
            size = int(response.meta["size"])
            return size if size > at_most else bytes(response.bytes())

        try:
            data = self._retried("read", key, read)
        except FileNotFoundError:
            return None
        if isinstance(data, int):
            raise DamagedError(f"{self.url}/{key} has {data} bytes, at most {at_most} are expected")
        return data

    def size(self, key: str) -> int | None:
        """Return the size of ``key`` in bytes, or ``None`` if it is not there."""
        if not self._is_object(key):
            return None
        try:
            return int(self._retried("read", key, lambda: obstore.head(self._store, key))["size"])
        except FileNotFoundError:
            return None

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """Return the sizes in bytes of all objects under the folder ``prefix``, by key."""
        sizes: dict[str, int] = {}
        after: str | None = None
        most = PAGE if is_bucket(self.url) else None

        def page() -> "Sequence[ObjectMeta]":
            batches = obstore.list(self._store, prefix or None, offset=after, chunk_size=PAGE)
            return next(batches, []) if most else [entry for batch in batches for entry in batch]

        try:
            while True:
                entries = self._retried("listed", prefix, page)
                sizes.update({entry["path"]: entry["size"] for entry in entries})
                if len(entries) != most:
                    return sizes
                after = entries[-1]["path"]
        except FileNotFoundError:
            return {}

    def find(self, prefix: str = "") -> list[str]:
        """Return all keys under the folder ``prefix``, sorted."""
        return sorted(self.sizes(prefix))

    def names(self) -> list[str]:
        """Return the names directly under the root, of folders and objects, sorted."""
        listing = self._retried("listed", "", lambda: obstore.list_with_delimiter(self._store))
        return sorted([*listing["common_prefixes"], *(entry["path"] for entry in listing["objects"])])

    def delete(self, key: str) -> None:
        """Remove ``key``, if it is there."""
        self._check_own(key)
        try:
            self._retried("deleted", key, lambda: obstore.delete(self._store, key))
        except FileNotFoundError:
            return

    def _check_own(self, key: str) -> Path | None:
        """Refuse a key below a link, which would lead out of a folder; return where that has the key."""
        if is_bucket(self.url):
            return None
        path = Path(self.url)
        for part in key.split("/")[:-1]:
            path /= part
            if path.is_symlink():
                raise StoreError(f"{path} is a symbolic link, through which nothing is written; remove it")
        return Path(self.url, key)

    def _is_object(self, key: str) -> bool:  # in a folder, a pipe would be waited for
        return is_bucket(self.url) or Path(self.url, key).is_file()

    def _retried(self, done: str, key: str, request: Callable[[], T]) -> T:
        """Run a request and retry it after transient errors; an object that exists or is missing is none."""
        pause_s, longest_s = PAUSES_S
        until = time.monotonic() + UNREACHABLE_S
        while True:
            try:
                return request()
            except AlreadyExistsError:
                raise
            except (BaseError, OSError, ValueError) as error:
                where, text = f"{self.url}/{key}".rstrip("/"), _first_line(error)
                if isinstance(error, FileNotFoundError) and "NoSuchBucket" not in str(error):
                    raise
                if not is_bucket(self.url) or not _is_transient(error):
                    raise StoreError(f"{where} cannot be {done}: {text}") from None
                if time.monotonic() + pause_s > until:
                    raise UnreachableError(
                        f"{where} cannot be {done}: no good answer for {UNREACHABLE_S:g} s ({text}); check "
                        "the network, the endpoint and the credentials, then go on with `resume`"
                    ) from None
            time.sleep(uniform(0.5, 1.0) * pause_s)
            pause_s = min(2 * pause_s, longest_s)


def is_bucket(url: str) -> bool:
    """Tell whether a place is a bucket and no folder."""
    return "://" in url


def _bucket(url: str) -> ObjectStore:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise StoreError("a bucket's URL holds no credentials; give them in the environment")
    if parts.scheme not in _ENDPOINTS or not parts.netloc:
        raise StoreError(f"{url} is no place; expected a folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX")
    options: ClientConfig = {
        "connect_timeout": timedelta(seconds=CONNECT_S),
        "read_timeout": timedelta(seconds=SILENCE_S),
        "timeout": timedelta(seconds=REQUEST_S),
    }
    if _plain_http(parts.scheme):
        options["allow_http"] = True
    retries: RetryConfig = {
        "max_retries": RETRIES,
        "retry_timeout": timedelta(seconds=RETRYING_S),
        "backoff": {
            "init_backoff": timedelta(seconds=PAUSES_S[0]),
            "max_backoff": timedelta(seconds=PAUSES_S[1]),
        },
    }
    return from_url(url, client_options=options, retry_config=retries)


def _plain_http(scheme: str) -> bool:
    """Tell whether the endpoint is one without encryption: on this machine, or expressly allowed."""
    vendor, names = _ENDPOINTS[scheme]
    name = next((name for name in names if os.environ.get(name)), "")
    endpoint = urlsplit(os.environ.get(name, ""))
    if endpoint.scheme != "http":
        return False
    is_allowed = os.environ.get(f"{vendor}_ALLOW_HTTP", "").lower() in ("true", "1", "yes")
    if not is_allowed and endpoint.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise StoreError(
            f"{name} is plain http to {endpoint.hostname}, which anyone on the way can read; use https, or "
            f"set {vendor}_ALLOW_HTTP=true"
        )
    return True


def _is_transient(error: Exception) -> bool:
    if isinstance(error, (FileNotFoundError, ValueError, *_PERMANENT)):
        return False
    status = re.search(r"status code: (\d{3})", str(error))
    code = int(status[1]) if status else 500
    return (
        (code >= 500 and code != 501)
        or code in _TRANSIENT_STATUS
        or (code == 400 and "RequestTimeout" in str(error))
    )


def _first_line(error: Exception) -> str:
    """Return the first line of an error, without the endpoint's credentials."""
    text = str(error).partition("\n")[0] or type(error).__name__
    if "NoSuchBucket" in str(error):
        return "there is no such bucket"
    if any(path in text for path in _INSTANCE):
        text = f"no credentials in the environment, and none from the instance: {text}"
    return re.sub(r"//[^/@\s]*@", "//", text)
