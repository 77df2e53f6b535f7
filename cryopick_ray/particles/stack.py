"""Stacks of images in MRC files, written image after image."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from mrcfile.constants import MAP_ID
from mrcfile.dtypes import HEADER_DTYPE
from mrcfile.utils import machine_stamp_from_byte_order
from numpy.typing import NDArray

from cryopick_ray.store.publish import published

MODES = {"float32": 2, "float16": 12}
VERSION = 20141


class StackWriter:
    """Writes a stack of images to an MRC file.

    Parameters
    ----------
    file
        Empty, open for writing.
    box_px, pixel_size_A
        Side of an image, and size of its pixels in angstroms.
    is_half
        Half precision (mode 12), else single.
    """

    def __init__(self, file: IO[bytes], box_px: int, pixel_size_A: float, *, is_half: bool) -> None:
        self._file, self._box_px, self._pixel_size_A = file, box_px, pixel_size_A
        self._kind = np.dtype(np.float16 if is_half else np.float32).newbyteorder("<")
        self._least, self._most, self._sum, self._squares = math.inf, -math.inf, 0.0, 0.0
        self._images = 0
        file.write(bytes(HEADER_DTYPE.itemsize))

    def add(self, images: NDArray[Any]) -> None:
        """Write ``(n, box_px, box_px)`` images after those before."""
        if not len(images):
            return
        self._images += len(images)
        self._least, self._most = min(self._least, images.min()), max(self._most, images.max())
        self._sum += float(images.sum(dtype=np.float64))
        self._squares += float(np.vdot(images, images))
        self._file.write(np.ascontiguousarray(images, self._kind).data)

    def finish(self) -> None:
        """Write the header."""
        pixels = max(1, self._images * self._box_px**2)
        mean = self._sum / pixels
        header = np.zeros((), HEADER_DTYPE)
        side_A = np.float32(self._box_px * self._pixel_size_A)
        values = {
            "nx": self._box_px, "ny": self._box_px, "nz": self._images, "mode": MODES[self._kind.name],
            "mx": self._box_px, "my": self._box_px, "mz": 1,
            "cella": (side_A, side_A, np.float32(self._pixel_size_A)), "cellb": (90, 90, 90),
            "mapc": 1, "mapr": 2, "maps": 3, "dmin": self._least, "dmax": self._most, "dmean": mean,
            "nversion": VERSION, "map": MAP_ID, "machst": machine_stamp_from_byte_order("<"),
            "rms": math.sqrt(max(0.0, self._squares / pixels - mean**2)),
        }  # fmt: skip
        for name, value in values.items():
            header[name] = value
        self._file.seek(0)
        self._file.write(header.tobytes())


@contextmanager
def written_stack(path: Path, box_px: int, pixel_size_A: float, *, is_half: bool) -> Iterator[StackWriter]:
    """Open a stack that appears whole, or not at all, as :func:`~cryopick_ray.store.publish.whole` says."""
    with published(path, "wb") as file:
        writer = StackWriter(file, box_px, pixel_size_A, is_half=is_half)
        yield writer
        writer.finish()


def stack_bytes(images: int, box_px: int, *, is_half: bool) -> int:
    """Return how large the file of a stack is."""
    return int(HEADER_DTYPE.itemsize) + images * box_px**2 * (2 if is_half else 4)
