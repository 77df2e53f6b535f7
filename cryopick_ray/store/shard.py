"""Pixels to the objects of one zarr array, and a shard's bytes back to pixels; all in memory.

zarr sees no folder and no bucket: what can go wrong with those is told apart from damage, each object is
one request, and an array is never without its shard while another writes the same one again.
"""

from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.buffer import Buffer
from zarr.core.buffer.cpu import Buffer as MemoryBuffer
from zarr.storage import MemoryStore

from cryopick_ray.store.layout import METADATA, SHARD, array_spec
from cryopick_ray.units import Shape

DENSEST = 256
"""Bytes of pixels that one byte of a shard may stand for: lz4 packs no tighter."""


def encode(pixels: NDArray[np.float16], attributes: dict[str, Any]) -> dict[str, bytes]:
    """Return the objects of the array that holds ``(h, w)`` ``pixels``, by key, the shard last."""
    objects: dict[str, Buffer] = {}
    spec = array_spec((pixels.shape[0], pixels.shape[1]))
    array = zarr.create_array(MemoryStore(objects), attributes=attributes, **spec)
    array[:] = pixels
    return {key: objects[key].to_bytes() for key in sorted(objects, key=SHARD.__eq__)}


def decode(shard: bytes, shape: Shape) -> NDArray[np.float16]:
    """Return the ``(h, w)`` pixels in a shard of an array of ``shape``.

    Raises
    ------
    ValueError, RuntimeError, OSError, KeyError
        If the shard is damaged.
    """
    if min(shape) < 1 or 2 * shape[0] * shape[1] > DENSEST * len(shard):
        raise ValueError(f"{len(shard)} bytes cannot hold {shape[0]} x {shape[1]} pixels")
    objects: dict[str, Buffer] = {}
    array = zarr.create_array(MemoryStore(objects), **array_spec(shape))
    objects[SHARD] = MemoryBuffer.from_bytes(shard)
    return np.asarray(array[:])


def group(attributes: dict[str, Any]) -> bytes:
    """Return the metadata of a zarr group."""
    objects: dict[str, Buffer] = {}
    zarr.create_group(MemoryStore(objects), attributes=attributes)
    return objects[METADATA].to_bytes()
