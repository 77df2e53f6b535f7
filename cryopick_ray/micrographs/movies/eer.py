"""EER movies: electrons as Thermo Fisher's Falcon cameras record them, rendered into frames."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError, brief
from cryopick_ray.micrographs.micrograph import check_size
from cryopick_ray.micrographs.tiff_pages import open_tiff
from cryopick_ray.units import Shape

CODES = {65000: (8, 2, 2), 65001: (7, 2, 2), 65002: (7, 2, 2)}
"""Bits of a run length and of the place inside a pixel, across and down, by TIFF compression; the last
states its own in tags 65007 to 65009."""
OWN_BITS = 65002
BIT_TAGS = (65007, 65008, 65009)
METADATA_TAG = 65001
PIXEL_SIZE = re.compile(rb'name="sensorPixelSize\.(?:width|height)"[^>]{0,100}>\s*([0-9.eE+-]{1,32})\s*<')


@dataclass(frozen=True)
class DetectorFrame:
    """Where one detector frame lies in the file and how it is coded.

    Attributes
    ----------
    start, length
        In bytes.
    bits
        Of a run length, of the place inside a pixel across, and down.
    """

    start: int
    length: int
    bits: tuple[int, int, int]


@dataclass(frozen=True)
class EerMovie:
    """An EER file as frames of ``grouping`` detector frames each; row 0 first.

    Attributes
    ----------
    path
        The file.
    detector_shape
        Height and width of the detector in pixels.
    detector_frames
        All of them.
    grouping
        How many make one frame; what is left over at the end is not used.
    upsampling
        1 for one pixel a detector pixel, 2 for four.
    pixel_size_A
        Of a rendered pixel, if the file's metadata state it.
    """

    path: Path
    detector_shape: Shape
    detector_frames: tuple[DetectorFrame, ...]
    grouping: int
    upsampling: int
    pixel_size_A: float | None
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> Shape:
        """Height and width of a rendered frame in pixels."""
        height, width = self.detector_shape
        return height * self.upsampling, width * self.upsampling

    @property
    def count(self) -> int:
        """Number of rendered frames."""
        return len(self.detector_frames) // self.grouping

    def frames(self, wanted: range) -> Iterator[NDArray[np.uint16]]:
        """Yield these frames: electrons counted in each pixel."""
        with self.path.open("rb") as file:
            for number in wanted:
                frame = np.zeros(self.shape, np.uint16)
                first = number * self.grouping
                for detector_frame in self.detector_frames[first : first + self.grouping]:
                    file.seek(detector_frame.start)
                    data = file.read(detector_frame.length)
                    if len(data) < detector_frame.length:
                        raise MicrographError("the file has become shorter")
                    data += bytes(len(data) % 2)  # the decoder takes whole words
                    superres = self.upsampling - 1
                    imagecodecs.eer_decode(
                        data, self.shape, *detector_frame.bits, superres=superres, out=frame
                    )
                yield frame


def open_eer(path: Path, grouping: int, upsampling: int) -> EerMovie:
    """Find the detector frames of an EER file.

    Raises
    ------
    MicrographError
        There are none, they differ in shape, lie outside the file, or are fewer than ``grouping``.
    OSError
        The file cannot be opened.
    """
    stored_bytes = path.stat().st_size
    with open_tiff(path) as tiff:
        # A file may end with its sum, an ordinary page.
        pages = [
            page for page in tiff.pages if isinstance(page, tifffile.TiffPage) and page.compression in CODES
        ]
        if not pages:
            raise MicrographError(f"{path.name} holds no electron events (TIFF compression 65000 to 65002)")
        shape = pages[0].imagelength, pages[0].imagewidth
        if not all(isinstance(side, int) for side in shape):
            raise MicrographError(f"{path.name} states a size of {brief(shape)}; expected two whole numbers")
        check_size(shape[0] * upsampling, shape[1] * upsampling)
        metadata = pages[0].tags.valueof(METADATA_TAG, b"")
        frames = tuple(_detector_frame(page, shape, stored_bytes, path) for page in pages)
    if len(frames) < grouping:
        raise MicrographError(
            f"{path.name} holds {len(frames)} detector frames, fewer than the {grouping} of one frame; "
            "give a smaller `movies.eer_grouping`"
        )
    return EerMovie(path, shape, frames, grouping, upsampling, _pixel_size_A(metadata, upsampling))


def _detector_frame(page: tifffile.TiffPage, shape: Shape, stored_bytes: int, path: Path) -> DetectorFrame:
    where = f"detector frame {page.index + 1} of {path.name}"
    if (page.imagelength, page.imagewidth) != shape:
        raise MicrographError(
            f"{where} has {page.imagewidth} x {page.imagelength} pixels, the first {shape[1]} x {shape[0]}"
        )
    bits = CODES[page.compression]
    if page.compression == OWN_BITS:
        bits = tuple(page.tags.valueof(tag, bit) for tag, bit in zip(BIT_TAGS, bits, strict=True))
        if not (all(isinstance(bit, int) for bit in bits) and 4 <= bits[0] <= 14 and bits[1] == bits[2] == 2):
            raise MicrographError(f"{where} codes events in {bits} bits; expected 4 to 14, 2 and 2")
    if len(page.dataoffsets) != 1 or len(page.databytecounts) != 1:
        raise MicrographError(f"{where} has {len(page.dataoffsets)} strips; expected 1")
    start, length = page.dataoffsets[0], page.databytecounts[0]
    # Even without an electron, runs of the longest length have to cover the detector.
    least = shape[0] * shape[1] // (2 ** bits[0] - 1) * bits[0] // 8
    if not (0 < start <= stored_bytes - length and least <= length):
        raise MicrographError(
            f"{where} is truncated: {length} bytes from byte {start} of a file of {stored_bytes} bytes; "
            f"expected at least {least}"
        )
    return DetectorFrame(start, length, bits)


def _pixel_size_A(metadata: object, upsampling: int) -> float | None:
    """Return what the metadata (XML) say of the pixel at the specimen, which they do in metres."""
    found = PIXEL_SIZE.search(metadata) if isinstance(metadata, bytes) else None
    try:
        size_A = float(found[1]) * 1e10 / upsampling if found else 0.0
    except ValueError:
        return None
    return size_A if 0 < size_A < 1e6 else None
