"""A memory-mapped file whose checksum is computed while it is read."""

import math
import os
from typing import Any, BinaryIO

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from cryopick_ray.units import Shape

BLOCK_BYTES = 2**18  # stays in a core's cache between reading and summing


def checksum_text(crc32c: int) -> str:
    """Return a checksum in the manifest's form."""
    return f"crc32c:{crc32c:08x}"


class MappedFile:
    """A memory-mapped file; the system begins to read it ahead.

    Parameters
    ----------
    file
        It may be closed after; it must not be empty.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._bytes = np.memmap(file, np.uint8, "r")
        self._plain = self._bytes.view(np.ndarray)  # its slices cost less
        self._address = _address(self._plain)
        self._summed, self._crc32c = 0, 0
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)

    def array(self, start: int, dtype: np.dtype[Any], shape: Shape) -> NDArray[Any]:
        """Return a read-only view of the array at ``start``."""
        end = start + math.prod(shape) * dtype.itemsize
        return self._bytes[start:end].view(dtype).reshape(shape)

    def see(self, rows: NDArray[Any]) -> None:
        """Extend the checksum to the end of rows just read, while they are in a core's cache."""
        start = _address(rows) - self._address
        if rows.flags.c_contiguous and 0 <= start <= start + rows.nbytes <= len(self._bytes):
            self._sum(start + rows.nbytes)

    def checksum(self) -> str:
        """Return the checksum of all bytes, as of :func:`cryopick_ray.micrographs.reader.source_checksum`."""
        self._sum(len(self._bytes))
        return checksum_text(self._crc32c)

    def _sum(self, end: int) -> None:
        while self._summed < end:
            block = self._plain[self._summed : min(end, self._summed + BLOCK_BYTES)]
            self._crc32c = google_crc32c.extend(self._crc32c, block)
            self._summed += len(block)


def _address(array: NDArray[Any]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address
