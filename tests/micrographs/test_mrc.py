import mrcfile
import numpy as np
import pytest
from mrc_files import PACK, SHAPE, patched, pixels_of, read_bytes, write

from cryopick_ray.errors import MicrographError, StackError
from cryopick_ray.micrographs.mrc import read_mrc
from cryopick_ray.micrographs.mrc_header import (
    FOUR_BITS,
    HEADER_BYTES,
    MODES,
    parse_header,
)

CODES = [code for mode, code in MODES.items() if mode != FOUR_BITS]


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
