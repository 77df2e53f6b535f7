"""TIFF stacks, read a page at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.movies.movie import check_count
from cryopick_ray.micrographs.tiff import NIBBLES_NOTE, check_page, holds_nibbles, read_page
from cryopick_ray.micrographs.tiff_pages import open_tiff
from cryopick_ray.units import Shape


@dataclass(frozen=True)
class TiffMovie:
    """The pages of a TIFF file as frames, last row first (:func:`cryopick_ray.units.rows_up`).

    Attributes
    ----------
    path, page_shape, count
        The file, height and width of a page as stored, the number of pages.
    is_packed
        Each byte holds two pixels.
    is_turned
        Whether the last row of a page is row 0.
    """

    path: Path
    page_shape: Shape
    count: int
    is_packed: bool = False
    is_turned: bool = True
    pixel_size_A: None = None

    @property
    def shape(self) -> Shape:
        """Height and width of a frame in pixels."""
        height, width = self.page_shape
        return height, 2 * width if self.is_packed else width

    @property
    def notes(self) -> tuple[str, ...]:
        """How the file was understood."""
        return NIBBLES_NOTE * self.is_packed

    def frames(self, wanted: range) -> Iterator[NDArray[Any]]:
        """Yield these pages."""
        stored_bytes = self.path.stat().st_size
        with open_tiff(self.path) as tiff:
            for number in wanted:
                page = tiff.pages[number]
                if not isinstance(page, tifffile.TiffPage):
                    raise MicrographError("it is no whole page")
                if (page.imagelength, page.imagewidth) != self.page_shape:
                    height, width = self.page_shape
                    raise MicrographError(
                        f"it has {page.imagewidth} x {page.imagelength} pixels, the first {width} x {height}"
                    )
                pixels = read_page(page, stored_bytes, is_packed=self.is_packed, is_turned=self.is_turned)
                yield np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("="))


def open_tiff_movie(path: Path, *, is_turned: bool = True) -> TiffMovie:
    """Count the pages of a grey TIFF and check the first.

    Raises
    ------
    MicrographError
        The first page is none that :func:`cryopick_ray.micrographs.tiff.read_tiff` reads.
    OSError
        The file cannot be opened.
    """
    with open_tiff(path) as tiff:
        page = tiff.pages.first
        check_page(page, path.stat().st_size)
        check_count(len(tiff.pages))
        shape = page.imagelength, page.imagewidth
        return TiffMovie(path, shape, len(tiff.pages), is_turned and holds_nibbles(page), is_turned)
