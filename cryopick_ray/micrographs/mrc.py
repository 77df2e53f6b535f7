"""MRC files, plain (memory-mapped) or compressed (read no further than the header promises)."""

import bz2
import gzip
import os
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import MicrographError, StackError, brief
from cryopick_ray.micrographs.mapped import MappedFile
from cryopick_ray.micrographs.micrograph import Micrograph, check_claim
from cryopick_ray.micrographs.mrc_header import HEADER_BYTES, MrcHeader, parse_header

BLOCK_BYTES = 2**22


def read_mrc(path: Path) -> Micrograph:
    """Read one micrograph from an MRC file; ``.gz`` and ``.bz2`` are decompressed on the way.

    Nothing is allocated for pixels that are not there: a plain file must hold what its header
    promises before it is mapped, and a compressed one is decompressed block by block, never
    beyond the promise, which its size must bear out.

    Raises
    ------
    MicrographError
        The file is no MRC file, damaged, shorter than its header promises, or holds several sections.
    OSError
        The file cannot be opened.
    """
    if path.suffix.lower() == ".gz":
        with gzip.open(path, "rb") as packed:
            return _read_packed(cast("BinaryIO", packed), path.stat().st_size)
    if path.suffix.lower() == ".bz2":
        with bz2.open(path, "rb") as packed:
            return _read_packed(cast("BinaryIO", packed), path.stat().st_size)
    with path.open("rb") as file:
        return _map_plain(file)


def _map_plain(file: BinaryIO) -> Micrograph:
    stored_bytes = os.fstat(file.fileno()).st_size
    header = _header_of_one_section(file.read(HEADER_BYTES), stored_bytes)
    promised = header.data_offset + header.data_bytes
    if stored_bytes < promised:
        raise _truncated(header, promised, stored_bytes)
    mapped = MappedFile(file)
    stored = mapped.array(header.data_offset, header.dtype, header.stored_shape)
    return replace(_micrograph(header, stored), file=mapped)


def _read_packed(stream: BinaryIO, stored_bytes: int) -> Micrograph:
    try:
        header = _header_of_one_section(stream.read(HEADER_BYTES))
        promised = header.data_offset + header.data_bytes
        check_claim(promised, stored_bytes)
        read_bytes = HEADER_BYTES + _skip(stream, header.data_offset - HEADER_BYTES)
        data = bytearray()  # grows with what is really there
        while len(data) < header.data_bytes:
            block = stream.read(min(BLOCK_BYTES, header.data_bytes - len(data)))
            if not block:
                raise _truncated(header, promised, read_bytes + len(data))
            data += block
        stream.read(1)  # at its end the stream compares its own checksum
    except (OSError, EOFError, zlib.error) as error:
        raise MicrographError(f"the compressed file is damaged: {brief(error)}") from error
    return _micrograph(header, np.frombuffer(data, header.dtype).reshape(header.stored_shape))


def _micrograph(header: MrcHeader, stored: NDArray[Any]) -> Micrograph:
    header = header.settled(stored)
    return Micrograph(header.pixels(stored), header.pixel_size_A, header.unclear_size, header.notes)


def _skip(stream: BinaryIO, count: int) -> int:
    """Read past ``count`` bytes and return how many were there."""
    left = count
    while left and (block := stream.read(min(BLOCK_BYTES, left))):
        left -= len(block)
    return count - left


def _header_of_one_section(raw: bytes, stored_bytes: int | None = None) -> MrcHeader:
    header = parse_header(raw, stored_bytes)
    if header.sections > 1 and stored_bytes == header.data_offset + header.data_bytes:
        note = f"the header states {header.sections} sections, the file holds one"
        return replace(header, sections=1, notes=(*header.notes, note))
    if header.sections > 1:
        raise StackError(f"the file is a stack of {header.sections} sections, expected one image")
    return header


def _truncated(header: MrcHeader, promised: int, stored_bytes: int) -> MicrographError:
    height, width = header.shape
    return MicrographError(
        f"the file is truncated: its header promises {promised} bytes "
        f"({width} x {height} {header.dtype.name}), there are {stored_bytes}"
    )
