import numpy as np
import pytest
import zarr
from zarr.core.buffer.cpu import Buffer
from zarr.storage import MemoryStore

from cryopick_ray.store import shard_codec
from cryopick_ray.store.layout import METADATA, SHARD

SHAPES = [(1, 1), (3, 5), (380, 371), (1024, 1024), (1025, 30), (3, 2000), (1030, 2050)]


def pixels_of(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float16)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_zarr_wrote_is_read_as_zarr_reads_it(shape):
    objects = shard_codec.encode(pixels_of(shape), {})
    stored = {key: Buffer.from_bytes(objects[key]) for key in (METADATA, SHARD)}
    found = shard_codec.decode(objects[SHARD], shape)
    assert np.array_equal(found, zarr.open_array(MemoryStore(stored), mode="r")[:])
    assert np.array_equal(found, pixels_of(shape))
    assert found.flags.writeable


@pytest.mark.parametrize("shape", [(3, 5), (64, 80), (1025, 30)])
def test_no_changed_bit_passes_for_pixels(shape):
    whole = shard_codec.encode(pixels_of(shape), {})[SHARD]
    rng = np.random.default_rng(1)
    for at, bit in zip(rng.integers(len(whole), size=200), rng.integers(8, size=200), strict=True):
        changed = bytearray(whole)
        changed[at] ^= 1 << bit
        with pytest.raises((ValueError, RuntimeError)):
            shard_codec.decode(bytes(changed), shape)


def test_a_part_of_a_shard_is_none():
    whole = shard_codec.encode(pixels_of((3, 5)), {})[SHARD]
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"cannot hold|checksum|size|values"):
            shard_codec.decode(whole[:length], (3, 5))


def test_another_micrographs_shard_is_refused():
    whole = shard_codec.encode(pixels_of((30, 50)), {})[SHARD]
    for shape in ((30, 49), (29, 50), (60, 50)):
        with pytest.raises(ValueError, match="size"):
            shard_codec.decode(whole, shape)
