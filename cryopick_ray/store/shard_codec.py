"""Pixels to the objects of one zarr array, and a shard's bytes back to pixels; all in memory.

zarr sees no folder and no bucket: what can go wrong with those is told apart from damage, each object is
one request, and an array is never without its shard while another writes the same one again.
"""

from itertools import product
from typing import Any

import google_crc32c
import imagecodecs
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.buffer import Buffer
from zarr.storage import MemoryStore

from cryopick_ray.store.layout import METADATA, SHARD, array_spec, chunk_shape
from cryopick_ray.units import Shape

DENSEST = 256
"""Bytes of pixels that one byte of a shard may stand for: lz4 packs no tighter."""
CRC_BYTES = 4
BLOSC_SIZES = slice(4, 16)
"""Of Blosc's header: bytes unpacked, of a block, and packed."""


def encode(pixels: NDArray[np.float16], attributes: dict[str, Any]) -> dict[str, bytes]:
    """Return the objects of the array that holds ``(h, w)`` ``pixels``, by key, the shard last."""
    objects: dict[str, Buffer] = {}
    spec = array_spec((pixels.shape[0], pixels.shape[1]))
    array = zarr.create_array(MemoryStore(objects), attributes=attributes, **spec)
    array[:] = pixels
    return {key: objects[key].to_bytes() for key in sorted(objects, key=SHARD.__eq__)}


def decode(shard: bytes, shape: Shape) -> NDArray[np.float16]:
    """Return the ``(h, w)`` pixels in a shard of an array of ``shape``.

    It is zarr's format for shards, read with the libraries that zarr calls: its own way to them, through an
    event loop and other threads, takes six times as long for a micrograph of one chunk.

    Raises
    ------
    ValueError, RuntimeError, OSError, KeyError
        If the shard is damaged.
    """
    if min(shape) < 1 or 2 * shape[0] * shape[1] > DENSEST * len(shard):
        raise ValueError(f"{len(shard)} bytes cannot hold {shape[0]} x {shape[1]} pixels")
    chunk = chunk_shape(shape)
    grid = [range(0, side, step) for side, step in zip(shape, chunk, strict=True)]
    entry = np.dtype([("start", "<u8"), ("size", "<u8")])
    index_bytes = entry.itemsize * len(grid[0]) * len(grid[1]) + CRC_BYTES
    data = np.frombuffer(shard, np.uint8)
    index = _checked(data[-index_bytes:]).view(entry)
    pixels, part = np.empty(shape, np.float16), np.empty(chunk, np.float16)
    for (y, x), (start, size) in zip(product(*grid), index.tolist(), strict=True):
        packed = _checked(data[start : start + size])
        unpacked, _, here = packed[BLOSC_SIZES].view("<u4").tolist()
        if (unpacked, here) != (part.nbytes, len(packed)):
            raise ValueError(f"the chunk at row {y}, column {x} is of another size")
        imagecodecs.blosc_decode(packed.tobytes(), numthreads=1, out=part.data.cast("B"))
        pixels[y : y + chunk[0], x : x + chunk[1]] = part[: shape[0] - y, : shape[1] - x]
    return pixels


def _checked(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return bytes without the Crc32c that follows them."""
    content, crc = data[:-CRC_BYTES], data[-CRC_BYTES:]
    if len(crc) < CRC_BYTES or google_crc32c.value(content) != int.from_bytes(crc.tobytes(), "little"):
        raise ValueError("the checksum is wrong")
    return content


def group(attributes: dict[str, Any]) -> bytes:
    """Return the metadata of a zarr group."""
    objects: dict[str, Buffer] = {}
    zarr.create_group(MemoryStore(objects), attributes=attributes)
    return objects[METADATA].to_bytes()
