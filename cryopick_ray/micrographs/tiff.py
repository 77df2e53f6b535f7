"""TIFF files of one grey image."""

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError, StackError, brief
from cryopick_ray.micrographs.micrograph import Micrograph, check_claim, check_size
from cryopick_ray.micrographs.nibbles import PACKED, STORED_SHAPES, unpacked
from cryopick_ray.micrographs.tiff_pages import open_tiff
from cryopick_ray.units import rows_up

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64")
COMPRESSIONS = (
    tifffile.COMPRESSION.NONE,
    tifffile.COMPRESSION.LZW,
    tifffile.COMPRESSION.ADOBE_DEFLATE,
    tifffile.COMPRESSION.DEFLATE,
    tifffile.COMPRESSION.PACKBITS,
    tifffile.COMPRESSION.ZSTD,
)
"""What microscope programs write; each other codec would be one more decoder open to hostile bytes."""
NIBBLES_NOTE = ("each byte of the TIFF is read as two pixels of 4 bits, as SerialEM and IMOD write frames",)
GREY = (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE)

# What the library logs of a broken file comes up as an error here; it need not print it as well.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def read_tiff(path: Path) -> Micrograph:
    """Read a grey TIFF of integers of 4 to 32 bits or of floats, values as stored, last row first.

    The resolution tags say how large to print the picture, not how large the specimen was: the
    pixel size is ``None``.

    Raises
    ------
    MicrographError
        Several pages, colour, another number type or codec, or pixels missing from the file.
    OSError
        The file cannot be opened.
    """
    with open_tiff(path) as tiff:
        pages = len(tiff.pages)
        if pages > 1:
            raise StackError(f"the file is a stack of {pages} pages, expected one image")
        page, is_packed = tiff.pages.first, holds_nibbles(tiff.pages.first)
        pixels = read_page(page, path.stat().st_size, is_packed=is_packed)
    return Micrograph(pixels, None, notes=NIBBLES_NOTE * is_packed)


def read_page(
    page: tifffile.TiffPage, stored_bytes: int, *, is_packed: bool, is_turned: bool = True
) -> NDArray[Any]:
    """Return the pixels of a page ``(h, w)``, in the frame of :func:`cryopick_ray.units.rows_up`.

    Parameters
    ----------
    is_packed
        Each byte holds two pixels.
    is_turned
        No for the gain reference of an EER movie, whose rows are in order as the movie's.

    Raises
    ------
    MicrographError
        As :func:`check_page`.
    """
    check_page(page, stored_bytes)
    stored = page.asarray(maxworkers=1)  # the engine decides how many threads there are
    pixels = unpacked(stored, 2 * stored.shape[1]) if is_packed else stored
    return rows_up(pixels) if is_turned else pixels


def holds_nibbles(page: tifffile.TiffPage) -> bool:
    """Tell whether a page of bytes holds two pixels in each: by its size, as RELION, or SerialEM's label."""
    label = str(page.description)
    is_labelled = label.startswith("SerialEMCCD") and PACKED in label.partition("\n")[0]
    is_bytes = page.bitspersample == 8 and page.dtype == np.uint8
    return is_bytes and ((page.imagelength, page.imagewidth) in STORED_SHAPES or is_labelled)


def check_page(page: tifffile.TiffPage, stored_bytes: int) -> None:
    """Refuse a page that is no grey image of a kind read here, or is not whole.

    Raises
    ------
    MicrographError
        What is wrong with it.
    """
    sides = page.imagelength, page.imagewidth
    if not all(isinstance(side, int) for side in sides):
        raise MicrographError(f"the TIFF states a size of {brief(sides)}; expected two whole numbers")
    check_size(*sides)
    dtype = None if page.dtype is None else page.dtype.name
    if page.samplesperpixel != 1 or page.imagedepth != 1 or page.photometric not in GREY:
        raise MicrographError(
            f"the TIFF is not one grey image ({_name(page.photometric)}, "
            f"{page.samplesperpixel} samples a pixel, depth {page.imagedepth})"
        )
    is_nibbles = dtype == "uint8" and page.bitspersample == 4
    if dtype not in DTYPES or not (is_nibbles or page.bitspersample == 8 * np.dtype(dtype).itemsize):
        raise MicrographError(
            f"TIFF pixels of {page.bitspersample} bit {dtype} are not read; expected {', '.join(DTYPES)}"
        )
    if page.compression not in COMPRESSIONS:
        raise MicrographError(
            f"TIFF compression {_name(page.compression)} is not read; "
            f"expected {', '.join(codec.name for codec in COMPRESSIONS)}"
        )
    segment_pixels = page.tilelength * page.tilewidth if page.is_tiled else 1
    pixels = max(page.imagelength * page.imagewidth, segment_pixels)
    check_claim(pixels * np.dtype(dtype).itemsize, stored_bytes)
    _check_segments(page, stored_bytes)


def _check_segments(page: tifffile.TiffPage, stored_bytes: int) -> None:
    """Refuse missing strips or tiles, which the library would fill with zeros or leave unset."""
    if page.is_contiguous:  # read in one go from the first offset
        segments, expected = [(page.dataoffsets[0], page.nbytes)], 1
    else:
        segments = list(zip(page.dataoffsets, page.databytecounts, strict=False))
        expected = math.prod(page.chunked)
    present = sum(start > 0 and 0 < count <= stored_bytes - start for start, count in segments)
    if present < max(expected, len(segments)):
        raise MicrographError(
            f"the TIFF is truncated: {present} of {expected} strips or tiles lie inside "
            f"its {stored_bytes} bytes"
        )


def _name(value: object) -> str:
    """Return the name of a tag's value, or the bare number where the library knows none."""
    return str(getattr(value, "name", "")) or brief(value)
