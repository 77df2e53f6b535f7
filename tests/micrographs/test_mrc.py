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

from cryopick_ray.errors import MicrographError, StackError
from cryopick_ray.micrographs.mrc import read_mrc
from cryopick_ray.micrographs.mrc_header import (
    FOUR_BITS,
    HEADER_BYTES,
    MAX_EXTENDED_BYTES,
    MODES,
    parse_header,
)

SHAPE = (7, 12)
CODES = [code for mode, code in MODES.items() if mode != FOUR_BITS]
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


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packing", list(PACK))
class TestBytes:
    """Mode 0 is of signed bytes, unless the header or the image says otherwise."""

    STAMP = 1146047817

    @pytest.fixture
    def stored(self, tmp_path, order, packing):
        """Return what reads bytes of an image that goes over the middle of the range, header patched."""

        def read(code, *patches, seed=0):
            noise = np.random.default_rng(seed).normal(128 if code == "u1" else 0, 20, (40, 50))
            pixels = noise.round().astype(code)
            raw = write(tmp_path / "m.mrc", pixels.view("i1"), order=order).read_bytes()
            for offset, form, *values in patches:
                raw = patched(raw, offset, f"{order}{form}", *values)
            return pixels, read_bytes(tmp_path, raw, packing)

        return read

    @pytest.mark.parametrize(("code", "flags"), [("u1", 0), ("u1", 4), ("i1", 1), ("i1", 5)])
    def test_imod_s_flag_tells(self, stored, code, flags):
        pixels, found = stored(code, (152, "2i", self.STAMP, flags), (76, "2f", -3.0, 200.0))
        np.testing.assert_array_equal(found.pixels, pixels)
        assert (found.pixels.dtype, found.notes) == (code, ())

    @pytest.mark.parametrize(
        ("code", "extremes"), [("u1", (0, 255)), ("u1", (30, 128)), ("i1", (-128, 127)), ("i1", (-1, -1))]
    )
    def test_the_stated_extremes_tell(self, stored, code, extremes):
        pixels, found = stored(code, (76, "2f", *extremes))
        np.testing.assert_array_equal(found.pixels, pixels)
        assert found.notes == ()

    @pytest.mark.parametrize("extremes", [(0, 0), (0, -1), (np.nan, np.nan), (-50, 300), (0, 100), (0, 5000)])
    @pytest.mark.parametrize("code", ["u1", "i1"])
    def test_else_the_image_tells(self, stored, code, extremes):
        pixels, found = stored(code, (76, "2f", *extremes))
        np.testing.assert_array_equal(found.pixels, pixels)
        assert any("unsigned" in note for note in found.notes) == (code == "u1")


def test_every_value_of_a_byte_is_signed_where_nothing_speaks_against_it(tmp_path):
    pixels = np.random.default_rng(1).integers(-128, 128, (64, 64)).astype(np.int8)
    raw = patched(write(tmp_path / "m.mrc", pixels).read_bytes(), 76, "<2f", 0, 0)
    np.testing.assert_array_equal(read_bytes(tmp_path, raw).pixels, pixels)


def test_real_bytes_are_never_taken_for_unsigned(real_data):
    paths = sorted((real_data / "betagal-10017").glob("*.mrc"))
    assert len(paths) == 10
    for path in paths:
        header = parse_header(patched(path.read_bytes()[:HEADER_BYTES], 76, "<2f", 0, 0))
        assert not header.is_settled
        pixels = mrcfile.read(path)
        assert header.settled(pixels).dtype == np.int8
        assert header.settled(pixels ^ np.int8(-128)).dtype == np.uint8  # the same image, as unsigned bytes


class TestFourBits:
    """Two pixels a byte, the left one in the low bits."""

    @pytest.mark.parametrize("width", [12, 13])
    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("packing", list(PACK))
    def test_mode_101_pads_rows_to_whole_bytes(self, tmp_path, width, order, packing):
        pixels = np.random.default_rng(2).integers(0, 16, (7, width)).astype(np.uint8)
        raw = packed_mrc(tmp_path, pixels, order, mode=101, nx=width)
        found = read_bytes(tmp_path, raw, packing)
        np.testing.assert_array_equal(found.pixels, pixels)
        assert found.pixel_size_A == pytest.approx(1.7)

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_imod_s_flag_doubles_the_width_of_bytes(self, tmp_path, order):
        pixels = np.random.default_rng(2).integers(0, 16, (7, 12)).astype(np.uint8)
        raw = packed_mrc(tmp_path, pixels, order, mode=0, nx=6)
        raw = patched(raw, 152, f"{order}2i", TestBytes.STAMP, 16)
        np.testing.assert_array_equal(read_bytes(tmp_path, raw).pixels, pixels)

    @pytest.mark.parametrize(("labels", "shape"), [(1, (7676, 3710)), (1, (7676, 3711)), (2, (7676, 3710))])
    def test_serialem_s_label_does_so_for_frames_of_its_cameras(self, labels, shape):
        raw = patched(bytes(HEADER_BYTES), 0, "<4i", *shape[::-1], 1, 0)
        label = b"SerialEMCCD: Dose frac. image, 4 bits packed  r/f 0"
        raw = patched(patched(raw, 220, "<i", labels), 224, "80s", label)
        is_packed = labels == 1 and shape == (7676, 3710)
        assert parse_header(raw).shape == ((7676, 7420) if is_packed else shape)

    def test_a_file_too_short_for_them_is_refused(self, tmp_path):
        raw = packed_mrc(tmp_path, np.zeros((7, 13), np.uint8), "<", mode=101, nx=13)
        with pytest.raises(MicrographError, match="truncated"):
            read_bytes(tmp_path, raw[:-1])


def packed_mrc(tmp_path, pixels, order, *, mode, nx) -> bytes:
    padded = np.pad(pixels, ((0, 0), (0, pixels.shape[1] % 2)))
    stored = padded[:, ::2] | padded[:, 1::2] << 4
    raw = write(tmp_path / "packed.mrc", stored.view("i1"), order=order, pixel_size_A=1.7).read_bytes()
    raw = patched(patched(raw, 0, f"{order}i", nx), 12, f"{order}i", mode)
    return patched(patched(raw, 28, f"{order}i", nx), 40, f"{order}f", 1.7 * nx)


class TestSizeOfTheFile:
    """It tells better than a header that cannot be right."""

    @pytest.mark.parametrize("sections", [0, -3])
    @pytest.mark.parametrize("packing", list(PACK))
    def test_no_section_is_one(self, tmp_path, good, sections, packing):
        found = read_bytes(tmp_path, patched(good, 8, "<i", sections), packing)
        np.testing.assert_array_equal(found.pixels, pixels_of("f4"))
        assert f"{sections} sections" in found.notes[0]

    def test_no_section_with_room_for_more_is_refused(self, tmp_path, good):
        raw = patched(good, 8, "<i", 0)
        with pytest.raises(MicrographError, match="room for 2"):
            read_bytes(tmp_path, raw + raw[HEADER_BYTES:])

    def test_many_sections_of_which_one_is_there_are_one(self, tmp_path, good):
        raw = patched(good, 8, "<i", 40)
        found = read_bytes(tmp_path, raw)
        np.testing.assert_array_equal(found.pixels, pixels_of("f4"))
        assert "40 sections" in found.notes[0]
        with pytest.raises(StackError):
            read_bytes(tmp_path, raw + b"\0" * 9)

    @pytest.mark.parametrize("extended", [4, -1, 2**30, 24576])
    def test_an_extended_header_that_is_not_there_is_none(self, tmp_path, good, extended):
        found = read_bytes(tmp_path, patched(good, 92, "<i", extended))
        np.testing.assert_array_equal(found.pixels, pixels_of("f4"))
        assert f"{extended} bytes" in found.notes[0]

    def test_bytes_behind_the_pixels_do_not_matter(self, tmp_path, good):
        np.testing.assert_array_equal(read_bytes(tmp_path, good + b"\0" * 100).pixels, pixels_of("f4"))


@pytest.mark.parametrize(
    ("offset", "form", "values"),
    [(16, "<3i", [100, -50, 0]), (196, "<3f", [500.0, -300.0, 0.0]), (212, "<4B", [0x44, 0x20, 0x20, 0x20])],
)
def test_origins_and_stamps_change_nothing(tmp_path, good, offset, form, values):
    found = read_bytes(tmp_path, patched(good, offset, form, *values))
    np.testing.assert_array_equal(found.pixels, pixels_of("f4"))
    assert found.notes == ()


def test_axes_are_ignored_as_relion_does_and_that_is_said(tmp_path, good):
    found = read_bytes(tmp_path, patched(good, 64, "<3i", 2, 1, 3))
    np.testing.assert_array_equal(found.pixels, pixels_of("f4"))
    assert found.notes == ("the header's axes 2 1 3 are ignored: rows are read as they are stored",)


@pytest.mark.parametrize(
    ("mode", "name"), [(3, "complex int16"), (4, "complex64"), (-1, "unknown"), (7, "unknown")]
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
        (92, "<i", [-1], "extended header of -1"),
        (92, "<i", [2**30], "extended header"),
        (92, "<i", [4], "truncated"),
    ],
)
@pytest.mark.parametrize("packing", [".gz", ".bz2"])
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
    micrograph = read_bytes(tmp_path, patched(good, 40, "<2f", 12.0, 7.15))
    assert micrograph.pixel_size_A is None
    assert "1 x 1.021 A" in micrograph.unclear_size


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
                assert "square" in parse_header(header).unclear_size
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
