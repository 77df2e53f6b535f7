"""Pictures for tests: pixels, hand-made PNGs, and the check that a hostile one costs nothing."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.reader import read_micrograph

SHAPE = (40, 33)


def noise(dtype: str) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 120, SHAPE).astype(dtype)


def png(width: int, height: int, data: bytes, depth: int = 8) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">2I5B", width, height, depth, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def assert_refused_without_allocating(path) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(MicrographError):
            read_micrograph(path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
