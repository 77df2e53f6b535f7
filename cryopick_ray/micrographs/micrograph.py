"""A micrograph as its reader returns it: the image as stored, and its pixel size."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.mapped import MappedFile
from cryopick_ray.units import Shape

MAX_PIXELS = 2**28
"""Largest micrograph read, 16384 x 16384: the largest detectors, super-resolution included, stay
below it, and whatever claims more is a damaged header."""

MAX_COMPRESSION = 2**11
"""How much smaller than its pixels a compressed file may be. Deflate and LZW stay below 1 : 1400
even on a constant image, and noise hardly compresses at all; bzip2 makes gigabytes of zeros a few
hundred bytes, which no camera writes."""


@dataclass(frozen=True, eq=False)
class Micrograph:
    """One micrograph as stored in its file.

    Attributes
    ----------
    pixels
        ``(h, w)``, row 0 as :mod:`cryopick_ray.units` has it, in the file's number type and byte order;
        memory-mapped and read-only where the file allows it.
    pixel_size_A
        Pixel size in angstroms as the file states it; ``None`` if it states none. Not yet
        believed: see :func:`cryopick_ray.micrographs.pixel_size.decide_pixel_size`.
    unclear_size
        Why what the file states is no pixel size; empty where it states one, or nothing.
    notes
        How the file was understood where it is unclear.
    file
        What the pixels are a view of, if that is a file.
    """

    pixels: NDArray[Any]
    pixel_size_A: float | None
    unclear_size: str = ""
    notes: tuple[str, ...] = ()
    file: MappedFile | None = None

    @property
    def shape(self) -> Shape:
        """Height and width in pixels."""
        height, width = self.pixels.shape
        return height, width


def check_size(height: int, width: int) -> None:
    """Refuse an image size that no micrograph has, before anything is allocated.

    Raises
    ------
    MicrographError
        A side is not positive, or there are more than :data:`MAX_PIXELS` pixels.
    """
    if height < 1 or width < 1:
        raise MicrographError(f"the header states {width} x {height} pixels; both must be at least 1")
    if height * width > MAX_PIXELS:
        raise MicrographError(
            f"the header states {width} x {height} pixels; at most {MAX_PIXELS} pixels are read"
        )


def check_claim(claimed_bytes: int, stored_bytes: int) -> None:
    """Refuse a compressed image that claims more pixels than its file can hold.

    Raises
    ------
    MicrographError
        ``claimed_bytes`` is above :data:`MAX_COMPRESSION` times ``stored_bytes``.
    """
    if claimed_bytes > MAX_COMPRESSION * stored_bytes:
        raise MicrographError(
            f"the header states {claimed_bytes} bytes of pixels; "
            f"a file of {stored_bytes} bytes cannot hold them"
        )
