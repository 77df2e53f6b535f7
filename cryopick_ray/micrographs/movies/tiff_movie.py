"""TIFF stacks, read a page at a time, last row first as motion correction programs do."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.movies.movie import check_count
from cryopick_ray.micrographs.tiff import check_page
from cryopick_ray.micrographs.tiff_pages import open_tiff
from cryopick_ray.units import Shape


@dataclass(frozen=True)
class TiffMovie:
    """The pages of a TIFF file as frames.

    IMOD, MotionCor2 and RELION take the last row of a TIFF for row 0, so that a gain reference in MRC
    fits; so does this reader, or ``gain_flip`` would not mean what it means there.

    Attributes
    ----------
    path, shape, count
        The file, height and width of a page in pixels, the number of pages.
    flipped
        Whether the last row of a page is row 0.
    """

    path: Path
    shape: Shape
    count: int
    flipped: bool = True
    pixel_size_A: None = None

    def frames(self, wanted: range) -> Iterator[NDArray[Any]]:
        """Yield these pages."""
        stored_bytes = self.path.stat().st_size
        with open_tiff(self.path) as tiff:
            for number in wanted:
                page = tiff.pages[number]
                if not isinstance(page, tifffile.TiffPage):
                    raise MicrographError("it is no whole page")
                check_page(page, stored_bytes)
                if (page.imagelength, page.imagewidth) != self.shape:
                    height, width = self.shape
                    raise MicrographError(
                        f"it has {page.imagewidth} x {page.imagelength} pixels, the first {width} x {height}"
                    )
                pixels = page.asarray(maxworkers=1)  # the engine decides how many threads there are
                yield np.ascontiguousarray(pixels[::-1] if self.flipped else pixels)


def open_tiff_movie(path: Path, *, flipped: bool = True) -> TiffMovie:
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
        return TiffMovie(path, (page.imagelength, page.imagewidth), len(tiff.pages), flipped)
