import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mrc_files import PACK, patched, pixels_of, read_bytes, write

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.mrc import read_mrc
from cryopick_ray.micrographs.mrc_header import HEADER_BYTES, MAX_EXTENDED_BYTES, parse_header


@pytest.mark.parametrize("packing", list(PACK))
@pytest.mark.parametrize("length", [0, 1, 1023, 1024, 1100])
def test_short_files_are_refused(tmp_path, good, packing, length):
    with pytest.raises(MicrographError, match=r"truncated|too short"):
        read_bytes(tmp_path, good[:length], packing)


def test_a_small_packed_file_of_a_large_image_is_refused_unread(tmp_path):
    header = patched(write(tmp_path / "m.mrc", pixels_of("i1")).read_bytes(), 0, "<2i", 2**13, 2**13)[:1024]
    with pytest.raises(MicrographError, match="cannot hold them"):
        read_bytes(tmp_path, header + bytes(2**20), ".bz2")


@pytest.mark.parametrize("packing", [".gz", ".bz2"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "not packed at all"])
def test_damaged_compression_is_refused(tmp_path, good, packing, damage):
    packed = bytearray(PACK[packing](good))
    if damage == "cut":
        packed = packed[:-12]
    elif damage == "flipped":
        packed[-6] ^= 0xFF  # inside the checksum
    else:
        packed = bytearray(good)
    path = tmp_path / f"m.mrc{packing}"
    path.write_bytes(packed)
    with pytest.raises(MicrographError, match="damaged"):
        read_mrc(path)


@pytest.mark.parametrize("packing", [".gz", ".bz2"])
def test_a_packed_header_that_promises_a_gigabyte_allocates_nothing(tmp_path, good, packing):
    path = tmp_path / f"m.mrc{packing}"
    path.write_bytes(PACK[packing](patched(good, 0, "<2i", 2**14, 2**14)))
    assert peak_bytes(lambda: read_mrc(path)) < 2**24


@pytest.mark.parametrize("packing", [".gz", ".bz2"])
def test_a_bomb_behind_the_pixels_is_not_unpacked(tmp_path, good, packing):
    path = tmp_path / f"m.mrc{packing}"
    path.write_bytes(PACK[packing](good + bytes(2**27)))
    assert peak_bytes(lambda: read_mrc(path)) < 2**24


def peak_bytes(read) -> int:
    tracemalloc.start()
    try:
        read()
    except MicrographError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.integers(0, 1400),
    edits=st.lists(st.tuples(st.integers(0, 1023), st.integers(0, 255)), max_size=6),
    words=st.lists(st.tuples(st.sampled_from([0, 4, 8, 12, 28, 32, 92]), st.integers(-(2**31), 2**31 - 1))),
    packing=st.sampled_from(list(PACK)),
)
def test_whatever_a_header_says_the_answer_is_an_image_or_a_reason(
    tmp_path, good, cut, edits, words, packing
):
    raw = bytearray(good)
    for offset, value in edits:
        raw[offset] = value
    for offset, value in words:
        struct.pack_into("<i", raw, offset, value)
    path = tmp_path / f"hostile.mrc{packing}"
    path.write_bytes(PACK[packing](bytes(raw[:cut])))

    def read():
        micrograph = read_mrc(path)
        assert micrograph.pixels.nbytes <= len(raw)
        assert micrograph.pixel_size_A is None or 0 < micrograph.pixel_size_A < np.inf

    assert peak_bytes(read) < 2**24


@given(st.binary(min_size=HEADER_BYTES, max_size=HEADER_BYTES))
def test_noise_is_no_header(raw):
    try:
        header = parse_header(raw)
    except MicrographError:
        return
    assert min(header.shape) > 0
    assert HEADER_BYTES <= header.data_offset <= HEADER_BYTES + MAX_EXTENDED_BYTES
