"""One image at ever coarser levels, and tiles of it in the frame of the source micrograph.

Numbering is that of deep zoom: the highest level has the source's pixels, each level below half as many a
side; a tile is its column and row there. Edges of a picture are counted from the *edge* of the first pixel.
"""

import math
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cryopick_ray.errors import UsageError
from cryopick_ray.store.pictures import CONTRAST_PERCENTILES
from cryopick_ray.units import Shape

TILE_PX = 256
JPEG_QUALITY = 85
COARSEST_PX = 96
"""Levels are made down to this longer side."""
SAMPLE_PX = 2**18
Rect = tuple[float, float, float, float]
"""Left, top, right and bottom."""


@dataclass(frozen=True)
class TileFrame:
    """How an image lies in the source micrograph: ``image edge = source edge * scale + shift``, x and y."""

    scale: tuple[float, float]
    shift: tuple[float, float]

    def of(self, rect: Rect) -> Rect:
        """Return where a rectangle of the source lies in the image."""
        (sx, sy), (tx, ty) = self.scale, self.shift
        left, top, right, bottom = rect
        return left * sx + tx, top * sy + ty, right * sx + tx, bottom * sy + ty

    def halved(self, times: int) -> "TileFrame":
        """Return that of the image binned by two so often."""
        (sx, sy), (tx, ty), step = self.scale, self.shift, 2**times
        return TileFrame((sx / step, sy / step), (tx / step, ty / step))


def cropped(source: Shape, shape: Shape) -> TileFrame:
    """Return the frame of a Fourier crop, which keeps the centre of the first pixel."""
    sx, sy = shape[1] / source[1], shape[0] / source[0]
    return TileFrame((sx, sy), (0.5 - 0.5 * sx, 0.5 - 0.5 * sy))


def binned(binning: int) -> TileFrame:
    """Return the frame of an image whose pixels are the means of ``binning`` times ``binning``."""
    return TileFrame((1 / binning, 1 / binning), (0.0, 0.0))


@dataclass(frozen=True)
class Pyramid:
    """Sizes of a source micrograph's levels."""

    source: Shape

    @property
    def max_level(self) -> int:
        """The level of the source's own pixels."""
        return max(0, math.ceil(math.log2(max(self.source))))

    def rect(self, level: int, column: int, row: int) -> tuple[Rect, tuple[int, int]]:
        """Return which part of the source a tile shows, and the tile's width and height.

        Raises
        ------
        UsageError
            If there is no such tile.
        """
        if not 0 <= level <= self.max_level:
            raise UsageError(f"level is {level}, expected 0 to {self.max_level}")
        step = 2 ** (self.max_level - level)
        width, height = (-(-side // step) for side in reversed(self.source))
        left, top = column * TILE_PX, row * TILE_PX
        if not (0 <= left < width and 0 <= top < height):
            raise UsageError(f"there is no tile {column}, {row} at level {level}")
        right, bottom = min(left + TILE_PX, width), min(top + TILE_PX, height)
        rect = (left * step, top * step, right * step, bottom * step)
        return tuple(map(float, rect)), (right - left, bottom - top)  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class Levels:
    """An image and its binned ones.

    Attributes
    ----------
    images
        ``(h, w)`` float16 or float32, each binned by two from the one before.
    limits
        The grey values that are black and white at each.
    frame
        Of the first.
    """

    images: tuple[NDArray[np.floating], ...]
    limits: tuple[tuple[float, float], ...]
    frame: TileFrame

    @property
    def nbytes(self) -> int:
        """Memory that the images take."""
        return sum(image.nbytes for image in self.images)

    def tile(self, rect: Rect, size: tuple[int, int]) -> bytes:
        """Return a part of the source as a JPEG of ``size`` (width, height)."""
        box = self.frame.of(rect)
        step = min((box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1])
        at = min(max(0, math.floor(math.log2(max(step, 1.0)))), len(self.images) - 1)
        inside: Rect = tuple(edge / 2**at for edge in box)
        return jpeg(resized(self.images[at], inside, size), self.limits[at])


def levels_of(image: NDArray[np.floating], frame: TileFrame) -> Levels:
    """Return an image with its coarser levels."""
    images = [image]
    while max(images[-1].shape) > COARSEST_PX and min(images[-1].shape) > 1:
        images.append(halved(images[-1]))
    return Levels(tuple(images), tuple(limits_of(image) for image in images), frame)


def halved(image: NDArray[np.floating]) -> NDArray[np.float16]:
    """Return ``(h, w)`` means of two by two pixels; the last ones of odd sides are repeated."""
    height, width = image.shape
    if height % 2 or width % 2:
        image = np.pad(image, ((0, height % 2), (0, width % 2)), mode="edge")
    rows = image[0::2].astype(np.float32) + image[1::2]
    return ((rows[:, 0::2] + rows[:, 1::2]) / 4).astype(np.float16)


def limits_of(image: NDArray[np.floating]) -> tuple[float, float]:
    """Return the grey values that are shown black and white."""
    step = max(1, math.isqrt(image.size // SAMPLE_PX))
    sample = image[::step, ::step].astype(np.float32)
    low, high = np.percentile(sample, CONTRAST_PERCENTILES)
    return float(low), float(high)


def resized(image: NDArray[np.floating], box: Rect, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a part of an image, its edges as real numbers, at another size; beyond it its edge goes on."""
    height, width = image.shape
    reach = 4 * max(1.0, (box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1])
    left, top = (math.floor(edge - reach) for edge in box[:2])
    right, bottom = (math.ceil(edge + reach) for edge in box[2:])
    inside = image[max(0, top) : min(height, bottom), max(0, left) : min(width, right)]
    beyond = (
        (max(0, -top), max(0, bottom - height)),
        (max(0, -left), max(0, right - width)),
    )
    patch = np.pad(inside.astype(np.float32), beyond, mode="edge")
    at = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
    return np.asarray(Image.fromarray(patch).resize(size, Image.Resampling.BICUBIC, box=at))


def jpeg(image: NDArray[np.float32], limits: tuple[float, float] | None) -> bytes:
    """Return an image as a JPEG; its own grey values decide its contrast where no limits are given."""
    low, high = limits or limits_of(image)
    # A constant image has no contrast to stretch and comes out black.
    stretched = np.clip((image - low) / max(high - low, float(np.finfo(np.float32).tiny)), 0, 1)
    file = BytesIO()
    Image.fromarray((255 * np.nan_to_num(stretched)).round().astype(np.uint8)).save(
        file, "JPEG", quality=JPEG_QUALITY
    )
    return file.getvalue()
