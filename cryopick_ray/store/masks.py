"""Masks of junk in a store, beside the micrographs: small pictures, each named by its content."""

import hashlib
import io
import re

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from cryopick_ray.errors import DamagedError, brief
from cryopick_ray.micrographs.junk import KINDS, JunkMask
from cryopick_ray.store import layout, shard_codec
from cryopick_ray.store.place import Place

COLOURS = ("000000", "f59e0b", "38bdf8", "ef4444", "c084fc", "84cc16", "f472b6")
"""How each code looks, in hexadecimal: in a viewer as in the report."""
MOST_CELLS = 2**22
MOST_BYTES = 2**23
_SHAPE = "image_px"
_KEY = re.compile(rf"{layout.MASKS}/\w[\w.-]*/\w[\w.-]*-([0-9a-f]{{24}})\.png")


class MaskShelf:
    """The masks of one digest of picks in a store: those of other models and settings lie beside, unmixed.

    Parameters
    ----------
    place
        The store's.
    """

    def __init__(self, place: Place, digest: str) -> None:
        self._place, self._folder = place, f"{layout.MASKS}/{digest}"
        self._is_founded = False

    def put(self, micrograph_id: str, mask: JunkMask) -> str:
        """Write a mask and return its key; nothing is written of one that is clear, whose key is empty.

        Writing the same again changes nothing, whoever writes it.
        """
        if not mask.codes.any():
            return ""
        if not self._is_founded:
            for folder in (layout.MASKS, self._folder):
                self._place.put_new(f"{folder}/{layout.METADATA}", shard_codec.group({}))
            self._is_founded = True
        data = _encoded(mask)
        key = f"{self._folder}/{layout.array_key(micrograph_id)}-{_name(data)}.png"
        self._place.put_new(key, data)
        return key

    def keys(self) -> set[str]:
        """Return the keys of all that are there, from one listing."""
        return set(self._place.sizes(self._folder))


def read_stored_mask(place: Place, key: str) -> JunkMask:
    """Return the mask under a key that :meth:`MaskShelf.put` gave.

    Raises
    ------
    DamagedError
        If it is missing or damaged.
    """
    try:
        named = _KEY.fullmatch(key)
        data = place.get(key, at_most=MOST_BYTES) if named else None
        if named is None or data is None:
            raise ValueError("there is no such mask")
        if _name(data) != named[1]:
            raise ValueError("its content is not what it is named by")
        return _decoded(data)
    except (ValueError, OSError, SyntaxError, UnidentifiedImageError, DamagedError) as error:
        raise DamagedError(
            f"the mask {brief(key)} in {place.url} is damaged ({brief(error)}); delete it and go on by "
            "`resume`"
        ) from error


def _name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:24]


def _encoded(mask: JunkMask) -> bytes:
    if mask.codes.max() >= len(KINDS):
        raise ValueError(f"a mask holds the code {mask.codes.max()}; expected at most {len(KINDS) - 1}")
    picture = Image.fromarray(mask.codes)
    picture.putpalette(bytes.fromhex("".join(COLOURS)))
    about = PngInfo()
    about.add_text(_SHAPE, "{} {}".format(*mask.image_shape))
    file = io.BytesIO()
    picture.save(file, "PNG", pnginfo=about, bits=8)
    return file.getvalue()


def _decoded(data: bytes) -> JunkMask:
    with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
        if picture.mode != "P" or picture.width * picture.height > MOST_CELLS:
            raise ValueError(f"a picture of {picture.width} x {picture.height} cells, mode {picture.mode}")
        height, width = map(int, str(picture.info.get(_SHAPE)).split())
        codes = np.array(picture, np.uint8)
    if min(height, width) < 1 or codes.max() >= len(KINDS):
        raise ValueError("it holds what no mask does")
    return JunkMask(codes, (height, width))
