"""A check that the chain of a TIFF's pages ends, before a library follows it."""

import struct
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import tifffile

from cryopick_ray.errors import MicrographError

MAX_PAGES = 2**16
"""More than any camera writes into a file."""
MAX_TAGS = 2**12
MAX_SHARED = 16
"""Values of tags may take so many times the file's bytes: pages may share them, and each reads its own."""
VALUE_BYTES = {
    **dict.fromkeys((1, 2, 6, 7), 1),
    **dict.fromkeys((3, 8), 2),
    **dict.fromkeys((4, 9, 11, 13), 4),
    **dict.fromkeys((5, 10, 12, 16, 17, 18), 8),
}
"""By the number that TIFF gives a type."""
PLAIN: dict[str, Any] = {
    f"is_{kind}": False for kind in ("lsm", "scanimage", "ndpi", "stk", "philips", "vista")
}
"""Microscopes of light, whose pages the library finds in ways of their own."""


class _Layout(NamedTuple):
    """How numbers of tags, tags (type, count) and places are written, in :mod:`struct`'s words."""

    number: str
    tag: str
    place: str


def open_tiff(path: Path) -> tifffile.TiffFile:
    """Open a TIFF whose pages have been found to end.

    Raises
    ------
    MicrographError
        It is no TIFF, pages are missing, lead in a circle, or are more than any movie has.
    OSError
        The file cannot be opened.
    """
    with path.open("rb") as file:
        _check_chain(file, path.stat().st_size)
    return tifffile.TiffFile(path, **PLAIN)


def _check_chain(file: BinaryIO, stored_bytes: int) -> None:
    layout = _layout(file.read(8))
    file.seek(8 if layout.place.endswith("Q") else 4)
    (start,) = _unpacked(file, layout.place, "its first page")
    seen: set[int] = set()
    claimed = 0
    while start:
        frame = f"frame {len(seen) + 1}, at byte {start},"
        if start in seen:
            raise MicrographError(f"the TIFF's pages lead in a circle: {frame} was there before")
        if len(seen) == MAX_PAGES:
            raise MicrographError(f"the TIFF has more than {MAX_PAGES} pages")
        seen.add(start)
        file.seek(min(start, stored_bytes))
        (tags,) = _unpacked(file, layout.number, frame)
        if tags > MAX_TAGS:
            raise MicrographError(
                f"the TIFF is damaged: {frame} states {tags} tags; expected at most {MAX_TAGS}"
            )
        described = _read(file, tags * struct.calcsize(layout.tag), frame)
        sizes = (
            VALUE_BYTES.get(kind, 0) * count for kind, count in struct.iter_unpack(layout.tag, described)
        )
        claimed += sum(size for size in sizes if size <= stored_bytes)  # the library reads no others
        if claimed > MAX_SHARED * stored_bytes:
            raise MicrographError(
                f"the TIFF's pages claim {claimed} bytes of tags in a file of {stored_bytes}; at most "
                f"{MAX_SHARED} times its size are read"
            )
        (start,) = _unpacked(file, layout.place, frame)


def _layout(head: bytes) -> _Layout:
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    version = struct.unpack(f"{order}H", head[2:4])[0] if order and len(head) == 8 else 0
    if version == 43:
        return _Layout(f"{order}Q", f"{order}2xHQ8x", f"{order}Q")
    if version == 42:
        return _Layout(f"{order}H", f"{order}2xHI4x", f"{order}I")
    raise MicrographError("this is no TIFF: its first bytes are those of another kind of file")


def _unpacked(file: BinaryIO, form: str, what: str) -> tuple[int]:
    return struct.unpack(form, _read(file, struct.calcsize(form), what))


def _read(file: BinaryIO, size: int, what: str) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise MicrographError(f"the TIFF is truncated: {what} is not there")
    return data
