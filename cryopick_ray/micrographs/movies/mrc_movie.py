"""MRC stacks, plain or compressed, read a frame at a time."""

import bz2
import gzip
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.micrograph import check_claim
from cryopick_ray.micrographs.movies.movie import check_count
from cryopick_ray.micrographs.mrc import BLOCK_BYTES
from cryopick_ray.micrographs.mrc_header import HEADER_BYTES, MrcHeader, parse_header
from cryopick_ray.units import Shape

PACKED: dict[str, Callable[[Path, str], Any]] = {".gz": gzip.open, ".bz2": bz2.open}


@dataclass(frozen=True)
class MrcMovie:
    """The sections of an MRC file as frames, row 0 first.

    Attributes
    ----------
    path
        ``.mrc`` or ``.mrcs``, perhaps with ``.gz`` or ``.bz2``.
    header
        What its first bytes say.
    """

    path: Path
    header: MrcHeader

    @property
    def shape(self) -> Shape:
        """Height and width of a frame in pixels."""
        return self.header.shape

    @property
    def count(self) -> int:
        """Number of sections."""
        return self.header.sections

    @property
    def pixel_size_A(self) -> float | None:
        """As the header states it."""
        return self.header.pixel_size_A

    @property
    def notes(self) -> tuple[str, ...]:
        """How the header was understood where it is unclear."""
        return self.header.notes

    def frames(self, wanted: range) -> Iterator[NDArray[Any]]:
        """Yield these frames; a compressed file is decompressed up to the last of them."""
        header, is_packed = self.header, _is_packed(self.path)
        with _opened(self.path) as stream:
            stream.seek(header.data_offset + wanted.start * header.data_bytes)
            for number in wanted:
                stored = _read_section(stream, header, is_packed=is_packed)
                if number == self.count - 1 and is_packed:
                    _read_to_end(stream, header.data_bytes)
                yield header.pixels(stored).astype(header.dtype.newbyteorder("="), copy=False)


def open_mrc_movie(path: Path) -> MrcMovie:
    """Read the header of an MRC stack and check that a plain file holds what it promises.

    Raises
    ------
    MicrographError
        The file is no MRC file, or shorter than its header promises.
    OSError
        The file cannot be opened.
    """
    stored_bytes = path.stat().st_size
    is_packed = _is_packed(path)
    with _opened(path) as stream:
        header = parse_header(stream.read(HEADER_BYTES), None if is_packed else stored_bytes)
    check_count(header.sections)
    promised = header.data_offset + header.sections * header.data_bytes
    if is_packed:
        check_claim(promised, stored_bytes)
    elif stored_bytes < promised:
        whole = max(0, stored_bytes - header.data_offset) // header.data_bytes
        raise MicrographError(
            f"{path.name} is truncated: its header promises {header.sections} frames of {header.data_bytes} "
            f"bytes, frame {whole + 1} is not whole"
        )
    if not header.is_settled:
        with _opened(path) as stream:
            stream.seek(header.data_offset)
            header = header.settled(_read_section(stream, header, is_packed=is_packed))
    return MrcMovie(path, header)


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() in PACKED


def _opened(path: Path) -> BinaryIO:
    opening = PACKED.get(path.suffix.lower(), open)
    return cast("BinaryIO", opening(path, "rb"))


def _read_to_end(stream: BinaryIO, most: int) -> None:
    """Read what follows the last frame: at its end a compressed stream compares its own checksum."""
    while block := stream.read(BLOCK_BYTES):
        most -= len(block)
        if most < 0:
            raise MicrographError("the file goes on long after its last frame")


def _read_section(stream: BinaryIO, header: MrcHeader, *, is_packed: bool) -> NDArray[Any]:
    """Return the next section; of a plain file, whose size was looked at, in one go."""
    if is_packed:
        data = np.frombuffer(_read(stream, header.data_bytes), header.dtype)
    else:
        data = np.fromfile(stream, header.dtype, math.prod(header.stored_shape))
        _check_length(data.nbytes, header.data_bytes)
    return data.reshape(header.stored_shape)


def _read(stream: BinaryIO, count: int) -> bytearray:
    """Return the next ``count`` bytes; memory grows with what is really there."""
    data = bytearray()
    while len(data) < count:
        block = stream.read(min(BLOCK_BYTES, count - len(data)))
        if not block:
            _check_length(len(data), count)
        data += block
    return data


def _check_length(stored_bytes: int, count: int) -> None:
    if stored_bytes < count:
        raise MicrographError(f"it is truncated: {stored_bytes} of its {count} bytes are there")
