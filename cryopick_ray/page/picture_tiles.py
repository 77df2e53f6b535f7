"""Pictures of micrographs as a page asks for them: thumbnails, and tiles of every look."""

from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError
from cryopick_ray.page.filtered_views import LOOKS, Look, binning_for, filtered
from cryopick_ray.page.kept import Kept
from cryopick_ray.page.levels import (
    Levels,
    Pyramid,
    Rect,
    halved,
    jpeg,
    levels_of,
    limits_of,
    resized,
)
from cryopick_ray.page.pixel_sources import Pixels
from cryopick_ray.store.pictures import PictureShelf, make_pictures

LEVELS_BYTES, TILES_BYTES = 256 << 20, 64 << 20
AT_ONCE = 2
"""Images that are read and filtered at a time: each may take several times its own bytes."""
PATCHES, PATCH_PX = 4, 128
"""Patches a side, and their side, that the contrast of a file's own pixels is seen in."""


@dataclass(frozen=True)
class _Source:
    """A source micrograph's own pixels, and which of their values are black and white."""

    pixels: NDArray[Any]
    limits: tuple[float, float]

    def tile(self, rect: Rect, size: tuple[int, int]) -> bytes:
        return jpeg(resized(self.pixels, rect, size), self.limits)


class Pictures:
    """All pictures of the micrographs of one place.

    Parameters
    ----------
    diameter_A
        Of the particle, which the filtered looks are made for.
    shelf
        Where pictures are that were made as micrographs were picked.
    """

    def __init__(self, pixels: Pixels, diameter_A: float, shelf: PictureShelf | None = None) -> None:
        self.pixels, self._shelf = pixels, shelf
        self._diameter_A = diameter_A
        self._levels: Kept[tuple[str, Look], Levels] = Kept(LEVELS_BYTES, lambda one: one.nbytes)
        self._sources: Kept[str, _Source | None] = Kept(
            LEVELS_BYTES,
            lambda one: 0 if one is None or isinstance(one.pixels, np.memmap) else one.pixels.nbytes,
        )
        self._tiles: Kept[tuple[Any, ...], bytes] = Kept(TILES_BYTES, len)
        self._thumbnails: Kept[str, bytes] = Kept(TILES_BYTES, len)
        self._pictures: Kept[str, bytes] = Kept(TILES_BYTES, len)
        self._busy = BoundedSemaphore(AT_ONCE)

    def pyramid(self, micrograph_id: str) -> Pyramid:
        """Return the sizes of a micrograph's tiles."""
        return Pyramid(self.pixels.shape(micrograph_id))

    def thumbnail(self, micrograph_id: str) -> bytes:
        """Return a small JPEG of a whole micrograph: one that was made as it was picked, or made now."""
        return self._thumbnails.get(micrograph_id, lambda: self._both(micrograph_id)[0])

    def picture(self, micrograph_id: str) -> bytes:
        """Return a larger one."""
        return self._pictures.get(micrograph_id, lambda: self._both(micrograph_id)[1])

    def tile(
        self, look: str, micrograph_id: str, pixel_size_A: float | None, level: int, column: int, row: int
    ) -> bytes:
        """Return a tile as a JPEG.

        Raises
        ------
        UsageError
            If there is no such look or tile.
        MicrographError, StoreError
            If the micrograph cannot be read.
        """
        if look not in LOOKS:
            raise UsageError(f"look is {look!r}, expected one of {', '.join(LOOKS)}")
        pyramid = self.pyramid(micrograph_id)
        rect, size = pyramid.rect(level, column, row)
        key = (micrograph_id, look, level, column, row)
        return self._tiles.get(key, lambda: self._made_tile(micrograph_id, look, pixel_size_A, rect, size))

    def _made_tile(
        self, micrograph_id: str, look: Look, pixel_size_A: float | None, rect: Rect, size: tuple[int, int]
    ) -> bytes:
        levels = self._levels.get(
            (micrograph_id, look), lambda: self._made(micrograph_id, look, pixel_size_A)
        )
        stored_px = (rect[2] - rect[0]) * levels.frame.scale[0] / size[0]
        if look == "plain" and stored_px < 1:
            own = self._sources.get(micrograph_id, lambda: self._opened(micrograph_id))
            if own is not None:
                return own.tile(rect, size)
        return levels.tile(rect, size)

    def _made(self, micrograph_id: str, look: Look, pixel_size_A: float | None) -> Levels:
        with self._busy:
            image, frame = self.pixels.base(micrograph_id)
            if look == "plain":
                return levels_of(image, frame)
            width = self.pixels.shape(micrograph_id)[1]
            across_px = self._diameter_A / (pixel_size_A or 1.0) * image.shape[1] / width
            halvings = binning_for((image.shape[0], image.shape[1]), across_px)
            for _ in range(halvings):
                image = halved(image)
            shown = filtered(image, look, across_px / 2**halvings)
            return levels_of(shown, frame.halved(halvings))

    def _opened(self, micrograph_id: str) -> _Source | None:
        with self._busy:
            pixels = self.pixels.source(micrograph_id)
            return None if pixels is None else _Source(pixels, _limits(pixels))

    def _both(self, micrograph_id: str) -> tuple[bytes, bytes]:
        if self._shelf is not None:
            found = self._shelf.find(micrograph_id, self.pixels.checksum(micrograph_id))
            if found is not None:
                return found
        with self._busy:
            return make_pictures(self.pixels.base(micrograph_id)[0])


def _limits(pixels: NDArray[Any]) -> tuple[float, float]:
    """Return the contrast of an image, from patches of it: it may be mapped, and large."""
    height, width = pixels.shape
    patches = [
        np.asarray(pixels[top : top + PATCH_PX, left : left + PATCH_PX], np.float32).ravel()
        for top in np.linspace(0, max(0, height - PATCH_PX), PATCHES).astype(int)
        for left in np.linspace(0, max(0, width - PATCH_PX), PATCHES).astype(int)
    ]
    return limits_of(np.nan_to_num(np.concatenate(patches))[None])
