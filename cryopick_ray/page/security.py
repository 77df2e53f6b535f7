"""Access control: a page's URL holds a secret token, and only the page itself may change anything."""

import hmac
import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 4 << 20
"""Limit of a request's body."""
TOO_LARGE = f"more than {MOST_BYTES} bytes were sent; expected fewer at once"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def new_token() -> str:
    """Return a new secret token."""
    return secrets.token_urlsafe(32)


class TooLargeError(Exception):
    """A request's body is larger than a page sends."""


class Guard:
    """Passes requests to a loopback host whose path begins with the token; others are refused with 403.

    Changes must come from the page itself: a POST of JSON whose Origin header, if there is one, is the
    Host, so that no other page can send it.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on without the token."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        token, slash, rest = scope["path"].removeprefix("/").partition("/")
        is_known = hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self._token)
        refusal = _why_refused(scope["method"], headers, is_known=is_known and bool(slash))
        answer = _with_headers(send)
        if refusal is not None:
            status, text = refusal
            await JSONResponse({"error": text}, status)(scope, receive, answer)
            return
        inside = {
            **scope,
            "path": f"/{rest}",
            "raw_path": f"/{rest}".encode("utf-8", "surrogateescape"),
            "root_path": "",
        }
        await self._app(inside, _bounded(receive), answer)


async def too_large(request: Request, error: Exception) -> Response:
    """Answer a request whose body exceeds the limit."""
    del request, error
    return JSONResponse({"error": TOO_LARGE}, 413, {"connection": "close"})


def _why_refused(method: str, headers: Headers, *, is_known: bool) -> tuple[int, str] | None:
    """Return why a request is not answered."""
    hosts = headers.getlist("host")
    if len(hosts) != 1 or _host_of(f"//{hosts[0]}") not in LOOPBACK:
        return 403, "this page is for its own machine; open it under 127.0.0.1 or localhost, through a tunnel"
    if not is_known:
        return 403, "the address lacks its secret; open the one that `cryopick view` printed"
    if method in ("GET", "HEAD"):
        return None
    if method != "POST":
        return 405, f"{method} is not answered; expected GET or POST"
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return 403, "expected application/json"
    origins = headers.getlist("origin")
    if origins and origins != [f"http://{hosts[0]}"]:
        return 403, "another page sent this"
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return 403, "another page sent this"
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or int(length) > MOST_BYTES:
        return 413, TOO_LARGE
    return None


def _host_of(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        return None if parts.username is not None or parts.path or parts.query else parts.hostname
    except ValueError:
        return None


def _bounded(receive: Receive) -> Receive:
    came = 0

    async def bounded() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > MOST_BYTES:
            raise TooLargeError
        return message

    return bounded


def _with_headers(send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            added = [
                (name.encode(), value.encode())
                for name, value in HEADERS.items()
                if name.encode() not in present
            ]
            if b"cache-control" not in present:
                added.append((b"cache-control", b"no-store"))
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return answer
