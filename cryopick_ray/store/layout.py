"""The disk shape of a store; no other file knows it.

::

    S/zarr.json                      the root group
    S/<array key>/zarr.json, c/0/0   one array per micrograph, one shard each
    S/manifest/zarr.json             an empty group, so that the hierarchy stays valid zarr
    S/manifest/<digest>.parquet      what ingest vouches for, published in parts
    S/masks/<digest of picks>/       groups without arrays again; what a model saw of junk in each micrograph,
      <array key>-<digest>.png       if any: a picture of codes named by its content
"""

import hashlib
import re
from typing import Any

from zarr.codecs import BloscCodec, Crc32cCodec

from cryopick_ray.units import Shape

MANIFEST = "manifest"
MASKS = "masks"
METADATA = "zarr.json"
SHARD = "c/0/0"
"""Key of an array's one shard, below the array's own."""
FORMAT = {"cryopick_store": 1}
CHUNK_PX = 1024
"""Side of a chunk: a 4096-pixel micrograph reads in 16 pieces, a thumbnail or crop in a few."""


def array_key(micrograph_id: str) -> str:
    """Return the array's key: readable, bounded in length, unlike for unlike ids on any file system."""
    readable = re.sub(r"[^A-Za-z0-9._-]", "_", micrograph_id)[-80:].lstrip(".")
    return f"{readable}-{hashlib.sha256(micrograph_id.encode()).hexdigest()[:16]}"


def shard_key(micrograph_id: str) -> str:
    """Return the key of a micrograph's one shard."""
    return f"{array_key(micrograph_id)}/{SHARD}"


def metadata_key(micrograph_id: str) -> str:
    """Return the key of the metadata of a micrograph's array."""
    return f"{array_key(micrograph_id)}/{METADATA}"


def chunk_shape(shape: Shape) -> Shape:
    """Return the sides of the chunks of an image of ``shape``."""
    return min(CHUNK_PX, shape[0]), min(CHUNK_PX, shape[1])


def array_spec(shape: Shape) -> dict[str, Any]:
    """Return what ``zarr.create_array`` needs for an image of ``shape``.

    Every chunk is written and carries a Crc32c, so a missing or damaged one cannot pass for data;
    the fill value is NaN, so what was never written can't either.
    """
    chunk = chunk_shape(shape)
    return {
        "shape": shape,
        "dtype": "float16",
        "chunks": chunk,
        "shards": tuple(-(-side // step) * step for side, step in zip(shape, chunk, strict=True)),
        "compressors": [BloscCodec(cname="lz4", clevel=1, shuffle="bitshuffle", typesize=2), Crc32cCodec()],
        "fill_value": float("nan"),
        "config": {"write_empty_chunks": True},
    }
