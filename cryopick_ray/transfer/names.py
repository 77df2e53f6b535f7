"""Names that come from a server, and the paths on this disk that they may become."""

import fnmatch
import re
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes, urlsplit

from cryopick_ray.transfer.transfer_errors import HostileNameError

MAX_NAME_BYTES = 240
"""Most file systems end at 255, and ``.part`` is appended."""
MAX_PATH_BYTES = 1024
PART = ".part"
"""Ending of a file that is not yet whole."""

# Controls, line and paragraph separators, and halves of characters: they break tables and terminals.
UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def child_of(href: str, folder_path: str) -> tuple[str, bool] | None:
    """Return the name that a link of an index page gives to a file or folder in it.

    Parameters
    ----------
    href
        The link as written in the page.
    folder_path
        Path of the page's own URL, encoded, with ``/`` at its end.

    Returns
    -------
    tuple of str and bool, or None
        The decoded name, and whether it is a folder; ``None`` for what is no visible child: links that sort
        the page, lead to the parent or to other places.

    Raises
    ------
    HostileNameError
        The link means to be a child, under a name that leads out of the folder or cannot be written.
    """
    try:
        parts = urlsplit(href.strip())
    except ValueError as error:
        raise HostileNameError(f"the link {href[:80]!r} cannot be read: {error}") from error
    if parts.scheme or parts.netloc or parts.query or not parts.path:
        return None
    path = parts.path.removeprefix(folder_path).removeprefix("./")
    if path.startswith("/") or path in ("", ".", "..", "../"):
        return None
    is_folder = path.endswith("/")
    try:
        name = unquote_to_bytes(path.removesuffix("/")).decode()
    except UnicodeDecodeError as error:
        raise HostileNameError(f"the name {path[:80]!r} is no UTF-8") from error
    check_name(name)
    return None if name.startswith(".") else (name, is_folder)


def check_name(name: str) -> None:
    """Refuse what cannot be the name of one file or folder.

    Raises
    ------
    HostileNameError
        It is empty, ``.`` or ``..``, holds a separator or a control character, or is too long or ends
        in :data:`PART`.
    """
    shown = repr(name[:80])
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        raise HostileNameError(f"the name {shown} leads out of its folder")
    if UNWRITABLE.search(name):
        raise HostileNameError(f"the name {shown} has control characters")
    if name.endswith(PART):
        raise HostileNameError(f"the name {shown} ends in {PART}, as files do that are not yet whole")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise HostileNameError(f"the name {shown} is longer than {MAX_NAME_BYTES} bytes")


def local_path(root: Path, path: str) -> Path:
    """Return where a remote path lies below ``root``, which it cannot leave.

    Raises
    ------
    HostileNameError
        A part of it is no name, it is too long, or a symbolic link on this disk leads out of ``root``.
    """
    if len(path.encode(errors="surrogatepass")) > MAX_PATH_BYTES:
        raise HostileNameError(f"the path {path[:80]!r} is longer than {MAX_PATH_BYTES} bytes")
    for name in path.split("/"):
        check_name(name)
    target = root / path
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise HostileNameError(f"the path {path[:80]!r} leads out of {root} by a symbolic link")
    return target


def encoded(path: str) -> str:
    """Return a path as it stands in a URL."""
    return quote(path, safe="/")


def matches(path: str, pattern: str) -> bool:
    """Tell whether a pattern with ``*``, ``?`` and ``[]`` fits the name, or the path if it has a ``/``."""
    return fnmatch.fnmatchcase(path if "/" in pattern else path.rpartition("/")[2], pattern)
