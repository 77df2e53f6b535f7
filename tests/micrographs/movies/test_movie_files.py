import bz2
import gzip
import struct

import mrcfile
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from simulated_movies import write_mrc, write_tiff

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.movies.movie import read_frames
from cryopick_ray.micrographs.movies.open_movie import open_movie

SHAPE = (24, 40)
PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}


def stack(code: str, count: int = 5) -> np.ndarray:
    values = np.random.default_rng(3).integers(0, 100, (count, *SHAPE))
    return values.astype(code)


def all_frames(path):
    movie = open_movie(path)
    return np.stack(list(read_frames(movie, range(movie.count))))


@pytest.mark.parametrize("code", ["i1", "i2", "f4", "u2", "f2"])
@pytest.mark.parametrize("packing", PACK)
def test_every_mode_and_packing_of_mrc_reads_as_written(tmp_path, code, packing):
    plain = write_mrc(tmp_path / "plain.mrc", stack(code))
    path = tmp_path / f"m.mrcs{packing}"
    path.write_bytes(PACK[packing](plain.read_bytes()))
    np.testing.assert_array_equal(all_frames(path), stack(code))
    movie = open_movie(path)
    assert (movie.shape, movie.count) == (SHAPE, 5)
    assert movie.pixel_size_A == pytest.approx(1.5)
    (third,) = read_frames(movie, range(2, 3))
    np.testing.assert_array_equal(third, stack(code)[2])


def test_big_endian_frames_come_in_the_machines_order(tmp_path):
    path = tmp_path / "m.mrc"
    with mrcfile.new(path) as mrc:
        mrc.set_data(stack(">i2"))
    frames = all_frames(path)
    assert frames.dtype == np.dtype("=i2")
    np.testing.assert_array_equal(frames, stack("i2"))


@pytest.mark.parametrize("packing", PACK)
class TestBytesOfMrc:
    def test_unsigned_ones_are_read_as_such_by_flag_and_by_image(self, tmp_path, packing):
        frames = np.random.default_rng(1).normal(128, 20, (5, *SHAPE)).astype(np.uint8)
        whole = bytearray(write_mrc(tmp_path / "plain.mrc", frames.view("i1")).read_bytes())
        for stamp, extremes in (((1146047817, 0), (-128, 127)), ((0, 0), (0, 255)), ((0, 0), (0, 0))):
            struct.pack_into("<2i", whole, 152, *stamp)
            struct.pack_into("<2f", whole, 76, *extremes)
            path = tmp_path / f"m.mrcs{packing}"
            path.write_bytes(PACK[packing](bytes(whole)))
            np.testing.assert_array_equal(all_frames(path), frames)

    @pytest.mark.parametrize("width", [40, 39])
    def test_two_pixels_of_four_bits_a_byte(self, tmp_path, packing, width):
        frames = stack("u1")[..., :width] % 16
        padded = np.pad(frames, ((0, 0), (0, 0), (0, width % 2)))
        plain = write_mrc(tmp_path / "plain.mrc", (padded[..., ::2] | padded[..., 1::2] << 4).view("i1"))
        whole = bytearray(plain.read_bytes())
        struct.pack_into("<i", whole, 0, width)
        struct.pack_into("<i", whole, 12, 101)
        path = tmp_path / f"m.mrcs{packing}"
        path.write_bytes(PACK[packing](bytes(whole)))
        np.testing.assert_array_equal(all_frames(path), frames)


def test_packed_pages_are_frames_of_twice_the_width(tmp_path):
    stored = np.zeros((2, 7676, 3710), np.uint8)
    stored[1, -1, :2] = 0x21, 0x43
    tifffile.imwrite(tmp_path / "m.tif", stored, compression="zlib", photometric="minisblack")
    movie = open_movie(tmp_path / "m.tif")
    assert movie.shape == (7676, 7420)
    (second,) = read_frames(movie, range(1, 2))
    assert second[0, :5].tolist() == [1, 2, 3, 4, 0]
    assert movie.notes


@pytest.mark.parametrize("code", ["u1", "i1", "u2", "i2", "f2", "f4", "f8"])
@pytest.mark.parametrize("compression", [None, "lzw", "deflate"])
def test_tiff_pages_are_frames_from_their_last_row_on(tmp_path, code, compression):
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, stack(code), compression=compression, photometric="minisblack")
    np.testing.assert_array_equal(all_frames(path), stack(code)[:, ::-1])


@pytest.mark.parametrize("packing", PACK)
def test_a_truncated_mrc_names_file_and_frame(tmp_path, packing):
    whole = write_mrc(tmp_path / "plain.mrc", stack("i2")).read_bytes()
    path = tmp_path / f"short.mrc{packing}"
    path.write_bytes(PACK[packing](whole[: 1024 + 2 * 2 * SHAPE[0] * SHAPE[1] + 7]))
    with pytest.raises(MicrographError, match=r"short\.mrc.*frame 3|frame 3 of 5 of short\.mrc"):
        all_frames(path)


@pytest.mark.parametrize("packing", [".gz", ".bz2"])
def test_a_flipped_bit_in_a_compressed_movie_is_an_error(tmp_path, packing):
    whole = PACK[packing](write_mrc(tmp_path / "plain.mrc", stack("i2")).read_bytes())
    path = tmp_path / f"m.mrc{packing}"
    for place in range(len(whole) // 2, len(whole) - 12, len(whole) // 40):
        packed = bytearray(whole)
        packed[place] ^= 16
        path.write_bytes(packed)
        with pytest.raises(MicrographError):
            all_frames(path)


@pytest.mark.parametrize("contiguous", [True, False])
def test_a_truncated_tiff_names_the_frame(tmp_path, contiguous):
    path = tmp_path / "m.tif"
    with tifffile.TiffWriter(path) as tiff:
        for frame in stack("u1"):
            tiff.write(frame, photometric="minisblack", contiguous=contiguous)
    with tifffile.TiffFile(path) as tiff:
        fourth = tiff.pages[3].dataoffsets[0]
    whole = path.read_bytes()
    for length in range(fourth - 200, fourth + frame.size, 50):
        path.write_bytes(whole[:length])
        with pytest.raises(MicrographError, match=r"frame \d|corrupted"):
            all_frames(path)


def test_pages_of_other_shapes_are_an_error(tmp_path):
    path = tmp_path / "m.tif"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(stack("u1")[0], photometric="minisblack")
        tiff.write(stack("u1")[0, 1:], photometric="minisblack")
    with pytest.raises(MicrographError, match=r"frame 2 of 2 of m\.tif.*40 x 23"):
        all_frames(path)


@pytest.mark.parametrize(("offset", "value"), [(8, 2**30), (8, 0), (8, -3), (0, 2**30), (12, 4)])
def test_an_mrc_header_that_claims_what_cannot_be_is_refused_at_once(tmp_path, offset, value):
    path = write_mrc(tmp_path / "m.mrc", stack("i2"))
    whole = bytearray(path.read_bytes())
    struct.pack_into("<i", whole, offset, value)
    path.write_bytes(whole)
    with pytest.raises(MicrographError):
        open_movie(path)


def test_a_frame_with_pixels_that_are_no_numbers_is_named(tmp_path):
    frames = stack("f4")
    path = write_mrc(tmp_path / "m.mrc", frames)
    whole = bytearray(path.read_bytes())
    struct.pack_into("<f", whole, 1024 + 4 * (3 * frames[0].size + 7), np.nan)
    path.write_bytes(whole)
    with pytest.raises(MicrographError, match=r"frame 4 of 5 of m\.mrc.*NaN"):
        all_frames(path)


@pytest.mark.parametrize("name", ["m.mrc", "m.tif", "m.eer", "m.mrc.gz", "m.png"])
def test_what_is_no_movie_is_a_micrograph_error(tmp_path, name):
    with pytest.raises(MicrographError):
        open_movie(tmp_path / name)
    (tmp_path / name).write_bytes(b"no movie" * 300)
    with pytest.raises(MicrographError):
        open_movie(tmp_path / name)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    return {
        ".mrc": write_mrc(folder / "m.mrc", stack("i2")).read_bytes(),
        ".tif": write_tiff(folder / "m.tif", stack("u1")).read_bytes(),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged")


@given(data=st.data(), suffix=st.sampled_from([".mrc", ".tif"]))
def test_damage_anywhere_is_read_or_a_micrograph_error(good, folder, data, suffix):
    whole = bytearray(good[suffix])
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = folder / f"m{suffix}"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole)
    try:
        movie = open_movie(path)
        for frame in read_frames(movie, range(min(movie.count, 5))):
            assert frame.shape == movie.shape
    except MicrographError:
        pass
