import bz2
import gzip
import struct
import tracemalloc

import mrcfile
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mrcfile.dtypes import HEADER_DTYPE

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.mrc import read_mrc
from cryopick_ray.micrographs.mrc_header import HEADER_BYTES, MAX_EXTENDED_BYTES, MODES, parse_header

SHAPE = (7, 12)
CODES = list(MODES.values())
PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}


def pixels_of(code: str) -> np.ndarray:
    values = np.random.default_rng(3).integers(-100, 100, SHAPE)
    return (abs(values) if code == "u2" else values).astype(code)


def write(path, pixels, *, pixel_size_A=1.7, order="<", extended=b""):
    with mrcfile.new(path) as mrc:
        mrc.set_data(pixels)
        mrc.voxel_size = pixel_size_A
        mrc.set_extended_header(np.frombuffer(extended, "V1"))
        header = mrc.header.copy()
    # mrcfile itself writes one-byte pixels in the machine's order only
    header.machst = [0x11, 0x11, 0, 0] if order == ">" else [0x44, 0x44, 0, 0]
    header = header.astype(HEADER_DTYPE.newbyteorder(order)).tobytes()
    path.write_bytes(header + extended + pixels.astype(pixels.dtype.newbyteorder(order)).tobytes())
    return path


@pytest.fixture
def good(tmp_path):
    """The bytes of a small little-endian float32 micrograph."""
    return write(tmp_path / "good.mrc", pixels_of("f4")).read_bytes()


def patched(raw: bytes, offset: int, form: str, *values) -> bytes:
    whole = bytearray(raw)
    struct.pack_into(form, whole, offset, *values)
    return bytes(whole)


def read_bytes(tmp_path, raw: bytes, packing: str = ""):
    path = tmp_path / f"m.mrc{packing}"
    path.write_bytes(PACK[packing](raw))
    return read_mrc(path)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packing", list(PACK))
def test_every_mode_order_and_packing_reads_as_mrcfile_reads_it(tmp_path, code, order, packing):
    plain = write(tmp_path / "m.mrc", pixels_of(code), order=order, extended=b"12345")
    path = tmp_path / f"packed.mrc{packing}"
    path.write_bytes(PACK[packing](plain.read_bytes()))
    micrograph = read_mrc(path)
    with mrcfile.open(path) as oracle:
        assert oracle.header.mode.dtype.byteorder.replace("=", "<") == order
        np.testing.assert_array_equal(micrograph.pixels, oracle.data)
        assert micrograph.pixel_size_A == pytest.approx(float(oracle.voxel_size.x))
    assert micrograph.shape == SHAPE
    np.testing.assert_array_equal(micrograph.pixels, pixels_of(code))


def test_a_plain_file_is_mapped_read_only(tmp_path, good):
    pixels = read_bytes(tmp_path, good).pixels
    assert isinstance(pixels, np.memmap)
    assert not pixels.flags.writeable


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("stamp", [b"\0\0\0\0", b"junk"])
def test_old_files_without_map_or_stamp_are_read(tmp_path, order, code, stamp):
    raw = write(tmp_path / "m.mrc", pixels_of(code), order=order).read_bytes()
    micrograph = read_bytes(tmp_path, patched(raw, 208, "4s4s", b"\0" * 4, stamp))
    np.testing.assert_array_equal(micrograph.pixels, pixels_of(code))


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_wrong_stamp_does_not_turn_the_bytes_round(tmp_path, order):
    raw = write(tmp_path / "m.mrc", pixels_of("f4"), order=order).read_bytes()
    wrong = b"\x11\x11\0\0" if order == "<" else b"\x44\x44\0\0"
    np.testing.assert_array_equal(
        read_bytes(tmp_path, patched(raw, 212, "4s", wrong)).pixels, pixels_of("f4")
    )


@pytest.mark.parametrize("stamp", [b"\x44\x44", b"\x11\x11", b"\0\0"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("side", [256, 1240, 2048, 4096, 11520])
def test_mode_zero_reads_alike_both_ways_so_the_size_decides(stamp, order, side):
    raw = patched(patched(bytes(HEADER_BYTES), 0, f"{order}4i", side, side, 1, 0), 212, "2s", stamp)
    assert parse_header(raw).shape == (side, side)


def test_mode_zero_is_signed(tmp_path):
    pixels = np.arange(-128, 128, dtype=np.int8).reshape(16, 16)
    assert read_mrc(write(tmp_path / "m.mrc", pixels)).pixels.min() == -128


@pytest.mark.parametrize(
    ("mode", "name"), [(3, "complex int16"), (4, "complex64"), (101, "4-bit"), (7, "unknown")]
)
def test_other_modes_are_refused_by_name(tmp_path, good, mode, name):
    with pytest.raises(MicrographError, match=rf"mode {mode} \({name}\)"):
        read_bytes(tmp_path, patched(good, 12, "<i", mode))


@pytest.mark.parametrize("packing", list(PACK))
def test_a_stack_is_refused_with_a_clear_word(tmp_path, packing):
    with mrcfile.new(tmp_path / "s.mrc", np.zeros((5, 4, 6), np.float32)) as mrc:
        mrc.set_image_stack()
    with pytest.raises(MicrographError, match=r"stack of 5 sections"):
        read_bytes(tmp_path, (tmp_path / "s.mrc").read_bytes(), packing)


@pytest.mark.parametrize(
    ("offset", "form", "values", "reason"),
    [
        (0, "<i", [-12], "at least 1"),
        (4, "<i", [0], "at least 1"),
        (0, "<2i", [2**17, 2**17], "at most"),
        (0, "<i", [13], "truncated"),
        (8, "<i", [0], "0 sections"),
        (92, "<i", [-1], "extended header of -1"),
        (92, "<i", [2**30], "extended header"),
        (92, "<i", [4], "truncated"),
        (44, "<f", [99.0], "square"),
    ],
)
@pytest.mark.parametrize("packing", list(PACK))
def test_impossible_headers_are_refused(tmp_path, good, packing, offset, form, values, reason):
    with pytest.raises(MicrographError, match=reason):
        read_bytes(tmp_path, patched(good, offset, form, *values), packing)


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


@pytest.mark.parametrize(
    ("cell", "samples"),
    [([0.0] * 2, [12, 7]), ([np.nan] * 2, [12, 7]), ([-3.0] * 2, [12, 7]), ([12.0, 7.0], [0, 0])],
)
def test_an_impossible_cell_is_no_pixel_size(tmp_path, good, cell, samples):
    raw = patched(patched(good, 40, "<2f", *cell), 28, "<2i", *samples)
    assert read_bytes(tmp_path, raw).pixel_size_A is None


def test_x_and_y_may_differ_by_a_percent(tmp_path, good):
    assert read_bytes(tmp_path, patched(good, 40, "<2f", 12.0, 7.05)).pixel_size_A == 1
    with pytest.raises(MicrographError, match=r"1 x 1\.021 A"):
        read_bytes(tmp_path, patched(good, 40, "<2f", 12.0, 7.15))


def test_headers_of_other_programs_read_as_mrcfile_reads_them(real_data):
    paths = sorted(
        path
        for folder in ("formats/mrc", "maps", "junk", "apoferritin-10146", "betagal-10017")
        for path in (real_data / folder).iterdir()
        if path.suffix in (".mrc", ".map")
    )
    assert len(paths) > 30
    for path in paths:
        with mrcfile.open(path, header_only=True) as oracle:
            header, theirs, voxel_A = path.read_bytes()[:HEADER_BYTES], oracle.header, oracle.voxel_size
            if path.name == "EMD-3001.map":  # a crystal: its voxels are no cubes
                with pytest.raises(MicrographError, match="square"):
                    parse_header(header)
                continue
            ours = parse_header(header)
            assert (ours.sections, *ours.shape) == (theirs.nz, theirs.ny, theirs.nx)
            assert ours.data_offset == HEADER_BYTES + theirs.nsymbt
            assert ours.pixel_size_A == pytest.approx(float(voxel_A.x))


@pytest.mark.parametrize("name", ["emd_2479.map", "emd_3197.map.gz", "EMD-3197.map.bz2"])
def test_real_maps_are_refused_as_stacks(real_data, name):
    with pytest.raises(MicrographError, match=r"stack of \d+ sections"):
        read_mrc(real_data / "formats/mrc" / name)


def test_real_micrographs_read_as_mrcfile_reads_them(real_data):
    for folder in ("apoferritin-10146", "betagal-10017"):
        path = min((real_data / folder).glob("*.mrc"))
        np.testing.assert_array_equal(read_mrc(path).pixels, mrcfile.read(path))
