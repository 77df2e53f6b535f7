"""What a server's headers say, read with care."""

import base64
import binascii
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

from cryopick_ray.transfer.transfer_errors import RemoteError


def content_length(headers: Mapping[str, str]) -> int | None:
    """Return the stated length of a body in bytes, if it can be one."""
    text = headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def content_range(value: str | None) -> tuple[int, int]:
    """Return the first byte and the size of the whole in ``bytes 5-9/10``."""
    unit, _, rest = (value or "").partition(" ")
    span, _, size = rest.partition("/")
    first, _, last = span.partition("-")
    numbers = [
        int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1
        for text in (first, last, size)
    ]
    if unit != "bytes" or min(numbers) < 0 or not numbers[0] <= numbers[1] == numbers[2] - 1:
        raise RemoteError(f"the server's Content-Range {(value or '')[:80]!r} makes no sense")
    return numbers[0], numbers[2]


def validator_of(headers: Mapping[str, str]) -> str | None:
    """Return what an If-Range may hold: a strong ETag, else the date (RFC 9110, 13.1.5)."""
    etag = headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")


def offered_digest(headers: Mapping[str, str], *, whole: bool) -> str | None:
    """Return an offered checksum of the whole file as ``sha256:`` or ``md5:`` and hexadecimal digits.

    Repr-Digest is RFC 9530's, Digest its predecessor's; Content-MD5 is of what was sent.
    """
    offered = f"{headers.get('Repr-Digest', '')},{headers.get('Digest', '')}"
    if whole and "Content-MD5" in headers:
        offered += f",md5={headers['Content-MD5']}"
    known = {"sha-256": ("sha256", 32), "md5": ("md5", 16)}
    for field in offered.split(","):
        name, _, value = field.strip().partition("=")
        kind, length = known.get(name.lower(), ("", 0))
        try:
            raw = base64.b64decode(value.strip(":"), validate=True)
        except (binascii.Error, ValueError):
            continue
        if kind and len(raw) == length:
            return f"{kind}:{raw.hex()}"
    return None


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds in a Retry-After header, given as a number or a date; ``None`` for anything else."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None


def redirected(url: str, target: str) -> str:
    """Return where a redirect leads.

    Raises
    ------
    RemoteError
        To another host, or from https to http: what comes from there is not what was asked for.
    """
    joined = urljoin(url, target)
    before, after = urlsplit(url), urlsplit(joined)
    is_upgrade = (before.scheme, after.scheme) == ("http", "https")
    is_same = before.scheme == after.scheme and before.netloc == after.netloc
    if not is_same and not (is_upgrade and before.hostname == after.hostname):
        raise RemoteError(
            f"{url} redirects to {after.scheme}://{after.hostname}; only its own host is followed, "
            "and never from https to http"
        )
    return joined
