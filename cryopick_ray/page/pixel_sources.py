"""Where the pixels of micrographs come from that a page shows: a store, or their own files."""

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
"""Longer side to which images of files are binned; what is finer is read from the file as it is asked for."""
ROWS = 256
SIGMAS = 100.0


class Pixels(Protocol):
    """Images of micrographs by id."""

    def shape(self, micrograph_id: str) -> Shape:
        """Return height and width of the source micrograph, or raise :class:`CryoPickError`."""
        ...

    def base(self, micrograph_id: str) -> tuple[NDArray[np.floating], TileFrame]:
        """Return the image that is shown, as far as its pixels go, or raise :class:`CryoPickError`."""
        ...

    def source(self, micrograph_id: str) -> NDArray[Any] | None:
        """Return the source micrograph's own pixels, mapped where that is possible, if they can be had."""
        ...

    def checksum(self, micrograph_id: str) -> str:
        """Return that of the source file; empty if it is not known."""
        ...


@dataclass(frozen=True)
class PixelsInStore:
    """Micrographs of a store; finer pixels than it has are those of the files it was made from.

    Attributes
    ----------
    store
        Opens the store, which a run that begins has not made yet.
    rows
        What it holds; they may become more.
    averages
        Tells where those of movies are kept.
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
            if (found := file_of(row, self.averages())) is None:
                return None
            pixels = read_micrograph(found.source.path).pixels
        except (CryoPickError, OSError):
            return None
        return pixels if pixels.shape == row.source_shape else None

    def checksum(self, micrograph_id: str) -> str:
        """Return that of the source file."""
        return self._row(micrograph_id).checksum

    def _row(self, micrograph_id: str) -> ManifestRow:
        row = self.rows.get(micrograph_id)
        if row is None or row.status != "complete":
            why = f": {row.reason}" if row and row.reason else ""
            raise MicrographError(f"{micrograph_id} has no picture in the store{why}")
        return row


@dataclass(frozen=True)
class InFiles:
    """Micrographs in files of any format, by the id that they are shown under."""

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
        """Return nothing: files are not read for it."""
        return ""

    def _read(self, micrograph_id: str) -> Micrograph:
        one = self.files.get(micrograph_id)
        if one is None:
            raise MicrographError(
                f"{micrograph_id} is not among the `micrographs`; give those that were picked"
            )
        if one.kind == "movie" or one.url or one.fault:
            what = one.fault or ("it is a movie" if one.kind == "movie" else "it is elsewhere")
            raise MicrographError(
                f"{micrograph_id} cannot be shown: {what}; give `micrographs` with its image"
            )
        try:
            return read_micrograph(one.path)
        except MicrographError as error:
            raise MicrographError(f"{micrograph_id} cannot be read: {error}") from error


def _binned(pixels: NDArray[Any], binning: int) -> NDArray[np.float32]:
    """Return means of ``binning`` times ``binning`` pixels; what is left at the far edges goes."""
    height, width = (side // binning for side in pixels.shape)
    made = np.empty((height, width), np.float32)
    for top in range(0, height, ROWS):
        bottom = min(top + ROWS, height)
        rows = np.asarray(pixels[top * binning : bottom * binning, : width * binning], np.float32)
        made[top:bottom] = rows.reshape(bottom - top, binning, width, binning).mean((1, 3))
    return np.nan_to_num(made, posinf=0, neginf=0)
