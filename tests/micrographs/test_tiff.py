"""TIFF micrographs of all kinds are read, or refused by name."""

import struct

import numpy as np
import pytest
import tifffile
from picture_files import SHAPE, assert_refused_without_allocating, noise

from cryopick_ray.errors import MicrographError, StackError
from cryopick_ray.micrographs.movies.movie import read_frames
from cryopick_ray.micrographs.movies.open_movie import open_movie
from cryopick_ray.micrographs.reader import read_micrograph

TIFF_DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"]


@pytest.mark.parametrize("dtype", TIFF_DTYPES)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits", "zstd"])
def test_tiff_gives_back_what_was_written_last_row_first(tmp_path, dtype, order, compression):
    path = tmp_path / "m.tif"
    tifffile.imwrite(
        path, noise(dtype), byteorder=order, compression=compression, rowsperstrip=16, resolution=(99, 99)
    )
    micrograph = read_micrograph(path)
    np.testing.assert_array_equal(micrograph.pixels, noise(dtype)[::-1])
    assert micrograph.pixels.dtype.newbyteorder("=") == np.dtype(dtype)
    assert micrograph.pixel_size_A is None


@pytest.mark.parametrize(
    "options", [{"tile": (16, 16)}, {"predictor": True, "compression": "lzw"}, {"bigtiff": True}]
)
def test_tiles_predictors_and_big_tiff_are_read(tmp_path, options):
    tifffile.imwrite(tmp_path / "m.TIFF", noise("u2"), **options)
    np.testing.assert_array_equal(read_micrograph(tmp_path / "m.TIFF").pixels, noise("u2")[::-1])


@pytest.mark.parametrize("orientation", [1, 4, 6])
def test_the_tag_for_viewers_turns_nothing(tmp_path, orientation):
    tifffile.imwrite(tmp_path / "m.tif", noise("u2"), extratags=[(274, "H", 1, orientation, True)])
    np.testing.assert_array_equal(read_micrograph(tmp_path / "m.tif").pixels, noise("u2")[::-1])


@pytest.mark.parametrize("shape", [(7676, 3710), (3710, 7676), (8184, 5760), (5760, 8184), (7680, 3712)])
def test_bytes_of_super_resolution_frames_hold_two_pixels(tmp_path, shape):
    stored = np.zeros(shape, np.uint8)
    stored[0, :3] = 0x21, 0x43, 0x65
    tifffile.imwrite(tmp_path / "m.tif", stored, compression="zlib")
    found = read_micrograph(tmp_path / "m.tif")
    assert found.shape == (shape[0], 2 * shape[1])
    assert found.pixels[-1, :7].tolist() == [1, 2, 3, 4, 5, 6, 0]
    assert "two pixels" in found.notes[0]


def test_serialem_says_so_of_others(tmp_path):
    stored = np.full((4, 5), 0x21, np.uint8)
    label = "SerialEMCCD: Dose frac. image, 4 bits packed  r/f 0"
    tifffile.imwrite(tmp_path / "m.tif", stored, description=label, metadata=None)
    assert read_micrograph(tmp_path / "m.tif").pixels[0].tolist() == [1, 2] * 5


def test_signed_bytes_are_no_pairs(tmp_path):
    tifffile.imwrite(tmp_path / "m.tif", np.zeros((7676, 3710), np.int8), compression="zlib")
    assert read_micrograph(tmp_path / "m.tif").shape == (7676, 3710)


def test_pixels_of_four_bits_are_read_as_tiff_has_them(tmp_path):
    pixels = noise("u1") % 16
    even = np.pad(pixels, ((0, 0), (0, 1)))  # a row begins with a byte of its own
    packed = even[:, ::2] << 4 | even[:, 1::2]
    whole = {"shape": pixels.shape, "dtype": np.uint8, "rowsperstrip": len(pixels)}
    tifffile.imwrite(tmp_path / "m.tif", iter([packed.tobytes()]), bitspersample=4, **whole)
    with tifffile.TiffFile(tmp_path / "m.tif") as tiff:
        assert tiff.pages.first.bitspersample == 4
    np.testing.assert_array_equal(read_micrograph(tmp_path / "m.tif").pixels, pixels[::-1])


REFUSED = {
    "b1": "1 bit bool",
    "c8": "complex64",
    "c16": "complex128",
    "i8": "int64",
    "u8": "uint64",
    "contig": "5 samples",
    "separate": "5 samples",
    "depth": "depth 5",
    "lerc": "LERC",
    "lzma": "LZMA",
}


def test_grey_tiffs_of_all_kinds_are_read_as_written_or_refused_by_name(real_data):
    paths = sorted((real_data / "formats/tiff-grey").glob("*.tif"))
    assert len(paths) >= 40
    for path in paths:
        reason = next((REFUSED[part] for part in path.stem.split(".") if part in REFUSED), None)
        if reason is not None:
            with pytest.raises(MicrographError, match=reason):
                open_movie(path)
            continue
        movie = open_movie(path)
        (first,) = read_frames(movie, range(1))
        np.testing.assert_array_equal(first, tifffile.imread(path, key=0)[::-1])
        if movie.count == 1:
            np.testing.assert_array_equal(read_micrograph(path).pixels, first)
        else:
            with pytest.raises(StackError):
                read_micrograph(path)


@pytest.mark.parametrize(
    ("pixels", "options", "reason"),
    [
        (np.zeros((3, *SHAPE), "u1"), {"photometric": "minisblack"}, "stack of 3 pages"),
        (np.zeros((*SHAPE, 3), "u1"), {"photometric": "rgb"}, "grey"),
        (np.zeros(SHAPE, "i8"), {}, "int64"),
        (np.zeros(SHAPE, "c8"), {}, "complex64"),
        (np.zeros(SHAPE, "u1"), {"compression": "jpeg"}, "JPEG"),
    ],
)
def test_other_tiffs_are_refused_by_name(tmp_path, pixels, options, reason):
    tifffile.imwrite(tmp_path / "m.tif", pixels, **options)
    with pytest.raises(MicrographError, match=reason):
        read_micrograph(tmp_path / "m.tif")


@pytest.mark.parametrize("options", [{}, {"compression": "lzw", "rowsperstrip": 8}, {"tile": (16, 16)}])
def test_a_tiff_with_missing_pixels_is_refused(tmp_path, options):
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, noise("u2"), **options)
    with tifffile.TiffFile(path) as tiff:
        end = max(a + b for a, b in zip(tiff.pages[0].dataoffsets, tiff.pages[0].databytecounts, strict=True))
    path.write_bytes(path.read_bytes()[: end - 1])
    with pytest.raises(MicrographError, match="truncated"):
        read_micrograph(path)


@pytest.mark.parametrize("lengths", [[0], [0, 0, 0]])
def test_empty_strips_are_not_zeros(tmp_path, lengths):
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, noise("u2"), compression="lzw", rowsperstrip=14)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        counts = tiff.pages[0].tags["StripByteCounts"]
        counts.overwrite([*lengths, *counts.value[len(lengths) :]])
    with pytest.raises(MicrographError, match=f"{3 - len(lengths)} of 3 strips"):
        read_micrograph(path)


@pytest.mark.parametrize("side", [2**13, 2**14, 2**31])
def test_a_tiff_that_claims_too_much_allocates_nothing(tmp_path, side):
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, noise("f4"), compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as tiff:
        for name in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            tiff.pages[0].tags[name].overwrite(side, dtype="I")
    assert_refused_without_allocating(path)


def test_a_circle_of_pages_is_named(tmp_path):
    path = tmp_path / "m.tif"
    with tifffile.TiffWriter(path) as writer:
        for _ in range(3):
            writer.write(noise("u1"), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path) as tiff:
        first, last = tiff.pages[0].offset, tiff.pages[2].offset
    raw = bytearray(path.read_bytes())
    (tags,) = struct.unpack_from("<H", raw, last)
    struct.pack_into("<I", raw, last + 2 + 12 * tags, first)
    path.write_bytes(raw)
    with pytest.raises(MicrographError, match=f"circle: frame 4, at byte {first},"):
        read_micrograph(path)
