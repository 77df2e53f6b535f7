"""Pictures of micrographs for display, beside a run: JPEGs, each with an embedded thumbnail.

The thumbnail lies where cameras put theirs (IFD1 of Exif 2.3, 4.5), so that any viewer shows it. Nothing
is learned or picked from pictures, and a missing one is made again by whoever wants it.
"""

import hashlib
import io
import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cryopick_ray.errors import DamagedError
from cryopick_ray.store import layout
from cryopick_ray.store.place import Place

FOLDER = "pictures"
PICTURE_PX, THUMBNAIL_PX = 1024, 160
"""Longer sides; smaller images stay as they are."""
PICTURE_BYTES, THUMBNAIL_BYTES = 300_000, 12_000
QUALITIES = (80, 60, 45, 35, 25, 15, 5)
"""Of JPEG, of which the first is taken that fits."""
CONTRAST_PERCENTILES = (1.0, 99.0)
_STEP = 8
"""Every so many-th row and column of a picture says its contrast."""
_TILE_PX = 256
"""Side of the middle whose size foretells that of the whole, to 3 % on micrographs."""
_ENTRY = struct.Struct("<HHII")
_SHORT, _LONG = 3, 4
_BEFORE = 80
"""Bytes of a picture before its thumbnail."""
Pictures = tuple[bytes, bytes]
"""Thumbnail and picture."""


class PictureStore:
    """The pictures of a run's micrographs, one object each: whole or absent, whatever is killed.

    Parameters
    ----------
    place
        The run's.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    def find(self, micrograph_id: str, checksum: str) -> Pictures | None:
        """Return the thumbnail and the picture of a micrograph as read from a file of that checksum.

        ``None`` if nobody made them, or they are damaged.
        """
        try:
            data = self._place.get(_key(micrograph_id, checksum), at_most=PICTURE_BYTES + THUMBNAIL_BYTES)
        except DamagedError:
            return None
        thumbnail = data and _thumbnail_in(data)
        return (thumbnail, data) if data and thumbnail else None

    def has(self, micrograph_id: str, checksum: str) -> bool:
        """Tell whether there are pictures of a micrograph."""
        return self._place.size(_key(micrograph_id, checksum)) is not None

    def put(self, micrograph_id: str, checksum: str, pictures: Pictures) -> None:
        """Keep the pictures of a micrograph; those that are damaged are replaced."""
        self._place.put(_key(micrograph_id, checksum), pictures[1])


def make_pictures(pixels: NDArray[np.floating]) -> Pictures:
    """Return a thumbnail and a picture of ``(h, w)`` finite pixels, row 0 at the top, contrast stretched.

    Where an image is shrunk, whole pixels are averaged first and the rest is resampled.
    """
    large = _shrunk(Image.fromarray(pixels.astype(np.float32, copy=False)), PICTURE_PX)
    thumbnail = _jpeg(_stretched(_shrunk(large, THUMBNAIL_PX)), THUMBNAIL_BYTES)
    plain = _jpeg(_stretched(large), PICTURE_BYTES - _BEFORE - len(thumbnail))
    return thumbnail, _before(thumbnail) + thumbnail + plain[2:]


def _key(micrograph_id: str, checksum: str) -> str:
    version = hashlib.sha256(checksum.encode()).hexdigest()[:8]
    return f"{FOLDER}/{layout.array_key(micrograph_id)}-{version}.jpg"


def _shrunk(grey: Image.Image, long_side_px: int) -> Image.Image:
    shrink = min(1.0, long_side_px / max(grey.size))
    width, height = (max(1, round(side * shrink)) for side in grey.size)
    return grey.resize((width, height), Image.Resampling.HAMMING, reducing_gap=1.0)


def _stretched(grey: Image.Image) -> Image.Image:
    pixels = np.asarray(grey)
    low, high = np.percentile(pixels[::_STEP, ::_STEP], CONTRAST_PERCENTILES)
    # A constant image has no contrast to stretch and comes out black.
    stretched = pixels - np.float32(low)
    stretched *= np.float32(255 / (high - low) if high > low else 0)
    np.clip(stretched, 0, 255, out=stretched)
    return Image.fromarray(stretched.astype(np.uint8))


def _jpeg(grey: Image.Image, most_bytes: int) -> bytes:
    """Return a picture of the highest quality that fits, foretold from its middle."""
    left, top = (max(0, (side - _TILE_PX) // 2) for side in grey.size)
    middle = grey.crop((left, top, min(left + _TILE_PX, grey.width), min(top + _TILE_PX, grey.height)))
    share = middle.width * middle.height / (grey.width * grey.height)
    data = b""
    for quality in QUALITIES:
        is_last = quality == QUALITIES[-1]
        if not is_last and len(_encoded(middle, quality)) > most_bytes * share:
            continue
        if len(data := _encoded(grey, quality)) <= most_bytes or is_last:
            break
    return data


def _encoded(grey: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    grey.save(file, "JPEG", quality=quality)
    return file.getvalue()


def _before(thumbnail: bytes) -> bytes:
    """Return the beginning of a JPEG up to the thumbnail in it."""
    first = struct.pack("<2sHI", b"II", 42, 8)
    upright = struct.pack("<H", 1) + _ENTRY.pack(0x0112, _SHORT, 1, 1) + struct.pack("<I", 26)
    small = struct.pack("<H", 3) + _ENTRY.pack(0x0103, _SHORT, 1, 6)  # a JPEG
    small += _ENTRY.pack(0x0201, _LONG, 1, 68) + _ENTRY.pack(0x0202, _LONG, 1, len(thumbnail))
    exif = b"Exif\0\0" + first + upright + small + struct.pack("<I", 0)
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", 2 + len(exif) + len(thumbnail)) + exif


def _thumbnail_in(data: bytes) -> bytes | None:
    """Return the thumbnail in a picture of ours that is whole; else ``None``."""
    if len(data) < _BEFORE or not data.endswith(b"\xff\xd9"):
        return None
    size = int.from_bytes(data[_BEFORE - 8 : _BEFORE - 4], "little")
    thumbnail = data[_BEFORE : _BEFORE + size]
    if size > THUMBNAIL_BYTES or len(thumbnail) < size or _before(thumbnail) != data[:_BEFORE]:
        return None
    return thumbnail
