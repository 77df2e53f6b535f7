"""Pictures of micrographs for the page: thumbnails, and tiles of every view."""

from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError
from cryopick_ray.page.byte_cache import ByteCache
from cryopick_ray.page.filtered_views import VIEWS, View, binning_for, filtered
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
from cryopick_ray.page.pixel_sources import PixelSource
from cryopick_ray.store.pictures import PictureStore, make_pictures

LEVELS_BYTES, TILES_BYTES = 256 << 20, 64 << 20
AT_ONCE = 2
"""Images that are read and filtered at a time: each may need several times its size in memory."""
PATCHES, PATCH_PX = 4, 128
"""Number of patches a side, and their side, from which a file's contrast is measured."""


@dataclass(frozen=True)
class _FullResolution:
    """A source micrograph's pixels, and their black and white levels."""

    pixels: NDArray[Any]
    limits: tuple[float, float]

    def tile(self, rect: Rect, size: tuple[int, int]) -> bytes:
        return jpeg(resized(self.pixels, rect, size), self.limits)


class MicrographPictures:
    """Cached pictures of the micrographs of one pixel source.

    Parameters
    ----------
    diameter_A
        Particle diameter, for the filtered views.
    shelf
        Store of pictures made while picking.
    """

    def __init__(self, pixels: PixelSource, diameter_A: float, shelf: PictureStore | None = None) -> None:
        self.pixels, self._shelf = pixels, shelf
        self._diameter_A = diameter_A
        self._levels: ByteCache[tuple[str, View], Levels] = ByteCache(
            LEVELS_BYTES, lambda value: value.nbytes
        )
        self._sources: ByteCache[str, _FullResolution | None] = ByteCache(
            LEVELS_BYTES,
            lambda value: 0 if value is None or isinstance(value.pixels, np.memmap) else value.pixels.nbytes,
        )
        self._tiles: ByteCache[tuple[Any, ...], bytes] = ByteCache(TILES_BYTES, len)
        self._thumbnails: ByteCache[str, bytes] = ByteCache(TILES_BYTES, len)
        self._pictures: ByteCache[str, bytes] = ByteCache(TILES_BYTES, len)
        self._busy = BoundedSemaphore(AT_ONCE)

    def pyramid(self, micrograph_id: str) -> Pyramid:
        """Return the sizes of a micrograph's tiles."""
        return Pyramid(self.pixels.shape(micrograph_id))

    def thumbnail(self, micrograph_id: str) -> bytes:
        """Return a small JPEG of a whole micrograph: a stored one, or made now."""
        return self._thumbnails.get(micrograph_id, lambda: self._both(micrograph_id)[0])

    def picture(self, micrograph_id: str) -> bytes:
        """Return a larger JPEG of a whole micrograph."""
        return self._pictures.get(micrograph_id, lambda: self._both(micrograph_id)[1])

    def tile(
        self, view: str, micrograph_id: str, pixel_size_A: float | None, level: int, column: int, row: int
    ) -> bytes:
        """Return a tile as a JPEG.

        Raises
        ------
        UsageError
            If there is no such look or tile.
        MicrographError, StoreError
            If the micrograph cannot be read.
        """
        if view not in VIEWS:
            raise UsageError(f"look is {view!r}, expected one of {', '.join(VIEWS)}")
        pyramid = self.pyramid(micrograph_id)
        rect, size = pyramid.rect(level, column, row)
        key = (micrograph_id, view, level, column, row)
        return self._tiles.get(key, lambda: self._made_tile(micrograph_id, view, pixel_size_A, rect, size))

    def _made_tile(
        self, micrograph_id: str, view: View, pixel_size_A: float | None, rect: Rect, size: tuple[int, int]
    ) -> bytes:
        levels = self._levels.get(
            (micrograph_id, view), lambda: self._made(micrograph_id, view, pixel_size_A)
        )
        stored_px = (rect[2] - rect[0]) * levels.frame.scale[0] / size[0]
        if view == "plain" and stored_px < 1:
            full_resolution = self._sources.get(micrograph_id, lambda: self._opened(micrograph_id))
            if full_resolution is not None:
                return full_resolution.tile(rect, size)
        return levels.tile(rect, size)

    def _made(self, micrograph_id: str, view: View, pixel_size_A: float | None) -> Levels:
        with self._busy:
            image, frame = self.pixels.base(micrograph_id)
            if view == "plain":
                return levels_of(image, frame)
            width = self.pixels.shape(micrograph_id)[1]
            across_px = self._diameter_A / (pixel_size_A or 1.0) * image.shape[1] / width
            halvings = binning_for((image.shape[0], image.shape[1]), across_px)
            for _ in range(halvings):
                image = halved(image)
            shown = filtered(image, view, across_px / 2**halvings)
            return levels_of(shown, frame.halved(halvings))

    def _opened(self, micrograph_id: str) -> _FullResolution | None:
        with self._busy:
            pixels = self.pixels.source(micrograph_id)
            return None if pixels is None else _FullResolution(pixels, _limits(pixels))

    def _both(self, micrograph_id: str) -> tuple[bytes, bytes]:
        if self._shelf is not None:
            pictures = self._shelf.find(micrograph_id, self.pixels.checksum(micrograph_id))
            if pictures is not None:
                return pictures
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
