"""HTTP as an archive deserves it: few connections, ranges, no surprise destinations."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from random import random
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from cryopick_ray import __version__
from cryopick_ray.transfer.backoff import LONGEST_WISH_S, Bandwidth, pause_s
from cryopick_ray.transfer.headers import (
    content_length,
    content_range,
    offered_digest,
    parse_retry_after,
    redirected,
    validator_of,
)
from cryopick_ray.transfer.response import Response
from cryopick_ray.transfer.transfer_errors import (
    ChangedError,
    MissingError,
    PassingError,
    RemoteError,
    StoppedError,
    UnreachedError,
)

CONNECT_S, SILENCE_S = 10.0, 20.0
"""The longest that connecting and waiting for the next bytes may take: a request that hangs is dropped and
asked again from where it was."""
TRIES = 6
"""Of one request for a page, with growing pauses."""
OFFLINE_TRIES = 2
"""Of the first request of all, where no connection comes about."""
MOST_REDIRECTS = 5
CHUNK_BYTES = 2**17
PASSING_STATUS = (408, 425, 429, 500, 502, 503, 504)


class Client:
    """Asks servers by HTTP; shared by all threads.

    Parameters
    ----------
    connections
        The most that are open to one host at a time.
    bandwidth
        What all bodies together may take.
    stop
        Ends all waiting.
    """

    def __init__(
        self, connections: int, bandwidth: Bandwidth | None = None, stop: threading.Event | None = None
    ) -> None:
        self._bandwidth, self._stop = bandwidth or Bandwidth(None), stop or threading.Event()
        self._options: dict[str, Any] = {
            "maxsize": connections,
            "block": True,
            "timeout": urllib3.Timeout(connect=CONNECT_S, read=SILENCE_S),
            "retries": False,
            "headers": {"User-Agent": f"cryopick-ray/{__version__}", "Accept-Encoding": "identity"},
        }
        self._has_heard = False
        self._lock = threading.Lock()
        self._managers: dict[str | None, urllib3.PoolManager] = {}
        self._hold_until: dict[str, float] = {}

    def page(self, url: str, *, at_most: int) -> bytes:
        """Return a whole document of at most so many bytes, asked for again after what may pass."""
        for tries in range(1, TRIES + 1):
            try:
                with self.open(url) as body:
                    return b"".join(_limited(body.chunks, at_most, url))
            except PassingError as error:
                if isinstance(error, UnreachedError) and not self._has_heard and tries == OFFLINE_TRIES:
                    raise RemoteError(
                        f"{urlsplit(url).netloc} cannot be reached: this machine seems to be offline, or "
                        f"behind a proxy ({error}); CRYOPICK_EMPIAR_FILES names a mirror"
                    ) from error
                if tries == TRIES:
                    raise RemoteError(f"{url}: {error}; asked {TRIES} times, try again later") from error
                self._pause(pause_s(tries, error.retry_after_s, random()))
        raise AssertionError

    def head(self, url: str) -> int | None:
        """Return the size in bytes that a server states of a file, if it does."""
        with self._answer("HEAD", url, {}) as answer:
            return content_length(answer.headers)

    @contextmanager
    def open(self, url: str, start: int = 0, validator: str | None = None) -> Iterator[Response]:
        """Ask for a file from byte ``start`` on.

        Parameters
        ----------
        validator
            What the first ``start`` bytes came with: if the file is another one now, all of it is sent.

        Raises
        ------
        PassingError, MissingError, ChangedError, RemoteError
        """
        asked = {"Range": f"bytes={start}-", "If-Range": validator} if start and validator else {}
        with self._answer("GET", url, asked) as answer:
            if answer.status == 206:
                first, whole_bytes = content_range(answer.headers.get("Content-Range"))
                if first != start or not asked:
                    raise RemoteError(f"the server sent bytes from {first}, {start} was asked for")
                size_bytes: int | None = whole_bytes
            else:
                first, size_bytes = 0, content_length(answer.headers)
            if size_bytes is None and "chunked" not in answer.headers.get("Transfer-Encoding", ""):
                raise RemoteError("the server does not say how long the file is")
            yield Response(
                start=first,
                size_bytes=size_bytes,
                validator=validator_of(answer.headers),
                digest=offered_digest(answer.headers, whole=answer.status == 200),
                chunks=self._chunks(answer),
            )

    def _chunks(self, answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        try:
            while chunk := answer.read1(CHUNK_BYTES, decode_content=False):
                self._bandwidth.pay(len(chunk))
                yield chunk
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise PassingError(f"the connection broke: {_reason(error)}") from error

    @contextmanager
    def _answer(
        self, method: str, url: str, headers: Mapping[str, str]
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        answer = self._follow(method, url, headers)
        try:
            _check_status(answer)
            yield answer
        except PassingError as error:
            if error.retry_after_s:
                self._hold(url, error.retry_after_s)
            raise
        finally:
            if not answer.closed:
                answer.close()  # what is left of the body would be read into the next answer
            answer.release_conn()

    def _follow(self, method: str, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        for _ in range(MOST_REDIRECTS + 1):
            self._wait(url)
            answer = self._ask(method, url, headers)
            self._has_heard = True
            target = answer.get_redirect_location()
            if not target:
                return answer
            answer.close()
            answer.release_conn()
            url = redirected(url, str(target))
        raise RemoteError(f"{url} redirects more than {MOST_REDIRECTS} times")

    def _ask(self, method: str, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        merged = {**self._options["headers"], **headers}
        try:
            return self._manager(url).request(
                method, url, headers=merged, redirect=False, preload_content=False, decode_content=False
            )
        except (urllib3.exceptions.LocationValueError, urllib3.exceptions.URLSchemeUnknown) as error:
            raise RemoteError(f"{url} is no address: {error}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise RemoteError(f"{url}: the server's certificate is not trusted") from error
            kind = UnreachedError if _is_unreached(error) else PassingError
            raise kind(f"no answer: {_reason(error)}") from error

    def _manager(self, url: str) -> urllib3.PoolManager:
        """Return the pool for a URL, by way of the proxy that the environment names for it."""
        parts = urlsplit(url)
        proxy = getproxies().get(parts.scheme)
        if proxy and proxy_bypass(parts.hostname or ""):
            proxy = None
        with self._lock:
            if proxy not in self._managers:
                self._managers[proxy] = (
                    _proxied(proxy, self._options) if proxy else urllib3.PoolManager(**self._options)
                )
            return self._managers[proxy]

    def _hold(self, url: str, seconds: float) -> None:
        host = urlsplit(url).netloc
        with self._lock:
            self._hold_until[host] = max(self._hold_until.get(host, 0.0), time.monotonic() + seconds)

    def _wait(self, url: str) -> None:
        """Leave a host alone for as long as it asked, from all connections."""
        with self._lock:
            until = self._hold_until.get(urlsplit(url).netloc, 0.0)
        self._pause(max(0.0, until - time.monotonic()))

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise StoppedError


def _proxied(proxy: str, options: dict[str, Any]) -> urllib3.ProxyManager:
    parts = urlsplit(proxy)
    user = f"{parts.username}:{parts.password or ''}" if parts.username else None
    headers = urllib3.make_headers(proxy_basic_auth=user) if user else None
    return urllib3.ProxyManager(
        f"{parts.scheme or 'http'}://{parts.netloc.rpartition('@')[2]}", proxy_headers=headers, **options
    )


def _check_status(answer: urllib3.BaseHTTPResponse) -> None:
    status = answer.status
    if status in (200, 206):
        return
    if status in (404, 410):
        raise MissingError(f"the server says there is none (status {status})")
    if status == 416:
        raise ChangedError("the file is shorter than what was already fetched of it")
    if status in PASSING_STATUS:
        wish_s = parse_retry_after(answer.headers.get("Retry-After"), time.time())
        if wish_s is not None and wish_s > LONGEST_WISH_S:
            raise RemoteError(f"the server asks to be left alone for {wish_s:.0f} s (status {status})")
        raise PassingError(f"status {status}", wish_s)
    raise RemoteError(f"the server answers with status {status}")


def _limited(chunks: Iterator[bytes], at_most: int, url: str) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > at_most:
            raise RemoteError(f"{url} is longer than {at_most} bytes, which are the most that are read")
        yield chunk


def _is_unreached(error: Exception) -> bool:
    cause = error.original_error if isinstance(error, urllib3.exceptions.ProxyError) else error
    return isinstance(cause, urllib3.exceptions.NewConnectionError)


def _reason(error: Exception) -> str:
    """Return what happened in a few words, without the library's addresses of objects."""
    return type(error).__name__.removesuffix("Error") if "object at 0x" in str(error) else str(error)[:200]
