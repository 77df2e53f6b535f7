"""PNG and JPEG pictures of micrographs."""

import mmap
import warnings
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from PIL import Image

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.micrograph import Micrograph, check_claim, check_size

GREY_MODES = {"L", "I;16", "I;16B", "I", "F"}
MAX_DRAWN = 2**30
"""Pixels of a JPEG times the scans that draw them: a progressive one has about ten, and a few bytes make one
more."""
PNG_DEPTH = 24  # where a PNG says how many bits a sample has, 1 in masks
SCAN = b"\xff\xda"  # nowhere else among coded pixels


def read_picture(path: Path) -> Micrograph:
    """Read a PNG or JPEG: grey of 8 or 16 bit as stored, anything else as its luminance.

    Pillow's own limit (about 179 million pixels) is below
    :data:`~cryopick_ray.micrographs.micrograph.MAX_PIXELS` and holds here. A picture has no pixel
    size.

    Raises
    ------
    MicrographError
        Several frames, or a size that is not read.
    OSError
        The file cannot be opened or decoded.
    """
    with warnings.catch_warnings():
        # Large is normal here; what is too large stays an error.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        # A chunk may claim gigabytes: a read from mapped memory ends where the file does.
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
            Image.open(cast("BinaryIO", mapped), formats=("PNG", "JPEG")) as picture,
        ):
            width, height = picture.size
            check_size(height, width)
            depth = mapped[PNG_DEPTH] if picture.format == "PNG" else 8
            check_claim(height * width * min(depth, 8) // 8, len(mapped))
            if picture.format == "JPEG":
                _check_scans(mapped, height * width)
            frames = getattr(picture, "n_frames", 1)
            if frames > 1:
                raise MicrographError(f"the picture has {frames} frames, expected one")
            grey = picture if picture.mode in GREY_MODES else picture.convert("L")
            return Micrograph(np.asarray(grey), None)


def _check_scans(mapped: mmap.mmap, pixels: int) -> None:
    most, scans, place = MAX_DRAWN // pixels, 0, mapped.find(SCAN)
    while place >= 0 and scans <= most:
        scans, place = scans + 1, mapped.find(SCAN, place + len(SCAN))
    if scans > most:
        raise MicrographError(f"the JPEG draws its {pixels} pixels in more than {most} scans; save it as PNG")
