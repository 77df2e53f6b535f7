"""Sources of a page's micrograph pixels: a store, or image files."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import CryoPickError, MicrographError
from cryopick_ray.micrographs.micrograph import Micrograph
from cryopick_ray.micrographs.reader import read_micrograph
from cryopick_ray.page.levels import TileFrame, binned, cropped
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.units import Shape

if TYPE_CHECKING:
    from cryopick_ray.micrographs.sources import MicrographSource
    from cryopick_ray.stages.averages import MovieAverages

LONGEST_PX = 2048
"""Longer side to which file images are binned; finer tiles are read from the file on request."""
ROWS = 256
SIGMAS = 100.0


class PixelSource(Protocol):
    """Pixels of micrographs by id."""

    def shape(self, micrograph_id: str) -> Shape:
        """Return height and width of the source micrograph, or raise :class:`CryoPickError`."""
        ...

    def base(self, micrograph_id: str) -> tuple[NDArray[np.floating], TileFrame]:
        """Return the base image and its frame in the source, or raise :class:`CryoPickError`."""
        ...

    def source(self, micrograph_id: str) -> NDArray[Any] | None:
        """Return the source micrograph's pixels, memory-mapped where possible; ``None`` if unavailable."""
        ...

    def checksum(self, micrograph_id: str) -> str:
        """Return the checksum of the source file; empty if unknown."""
        ...


@dataclass(frozen=True)
class PixelsInStore:
    """Micrographs of a store; finer pixels than it has are those of the files it was made from.

    Attributes
    ----------
    store
        Opens the store, which may not exist yet.
    rows
        Its manifest, which may grow.
    averages
        Returns the folder of movie averages.
    """

    store: Callable[[], MicrographStore]
    rows: Mapping[str, ManifestRow]
    averages: "Callable[[], MovieAverages]"

    def shape(self, micrograph_id: str) -> Shape:
        """Return height and width of the source micrograph."""
        return self._row(micrograph_id).source_shape

    def base(self, micrograph_id: str) -> tuple[NDArray[np.floating], TileFrame]:
        """Return the stored image."""
        row = self._row(micrograph_id)
        return self.store().read_stored(row), cropped(row.source_shape, row.shape)

    def source(self, micrograph_id: str) -> NDArray[Any] | None:
        """Return the pixels of the file that was picked, if it is there and unchanged."""
        from cryopick_ray.particles.pixels import file_of

        row = self._row(micrograph_id)
        if row.shape == row.source_shape:
            return None
        try:
            if (file := file_of(row, self.averages())) is None:
                return None
            pixels = read_micrograph(file.source.path).pixels
        except (CryoPickError, OSError):
            return None
        return pixels if pixels.shape == row.source_shape else None

    def checksum(self, micrograph_id: str) -> str:
        """Return the checksum of the source file."""
        return self._row(micrograph_id).checksum

    def _row(self, micrograph_id: str) -> ManifestRow:
        row = self.rows.get(micrograph_id)
        if row is None or row.status != "complete":
            why = f": {row.reason}" if row and row.reason else ""
            raise MicrographError(f"{micrograph_id} has no picture in the store{why}")
        return row


@dataclass(frozen=True)
class PixelsInFiles:
    """Micrographs in image files of any format, by page id."""

    files: "Mapping[str, MicrographSource]"

    def shape(self, micrograph_id: str) -> Shape:
        """Return height and width of the micrograph."""
        return self._read(micrograph_id).shape

    def base(self, micrograph_id: str) -> tuple[NDArray[np.floating], TileFrame]:
        """Return the micrograph, binned to at most 2048 pixels a side, median 0 and robust sigma 1."""
        pixels = self._read(micrograph_id).pixels
        binning = max(1, math.ceil(max(pixels.shape) / LONGEST_PX))
        image = _binned(pixels, binning)
        image -= np.median(image)
        sigma = 1.4826 * float(np.median(np.abs(image))) or float(image.std()) or 1.0
        return np.clip(image / sigma, -SIGMAS, SIGMAS).astype(np.float16), binned(binning)

    def source(self, micrograph_id: str) -> NDArray[Any] | None:
        """Return the file's own pixels."""
        try:
            pixels = self._read(micrograph_id).pixels
        except CryoPickError:
            return None
        return pixels if max(pixels.shape) > LONGEST_PX else None

    def checksum(self, micrograph_id: str) -> str:
        """Return an empty checksum: files are not read for it."""
        return ""

    def _read(self, micrograph_id: str) -> Micrograph:
        source = self.files.get(micrograph_id)
        if source is None:
            raise MicrographError(
                f"{micrograph_id} is not among the `micrographs`; give those that were picked"
            )
        if source.kind == "movie" or source.url or source.fault:
            reason = source.fault or ("it is a movie" if source.kind == "movie" else "it is elsewhere")
            raise MicrographError(
                f"{micrograph_id} cannot be shown: {reason}; give `micrographs` with its image"
            )
        try:
            return read_micrograph(source.path)
        except MicrographError as error:
            raise MicrographError(f"{micrograph_id} cannot be read: {error}") from error


def _binned(pixels: NDArray[Any], binning: int) -> NDArray[np.float32]:
    """Return means of ``binning`` x ``binning`` pixels; incomplete bins at the far edges are dropped."""
    height, width = (side // binning for side in pixels.shape)
    means = np.empty((height, width), np.float32)
    for top in range(0, height, ROWS):
        bottom = min(top + ROWS, height)
        rows = np.asarray(pixels[top * binning : bottom * binning, : width * binning], np.float32)
        means[top:bottom] = rows.reshape(bottom - top, binning, width, binning).mean((1, 3))
    return np.nan_to_num(means, posinf=0, neginf=0)
