import contextlib
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from picture_files import assert_refused_without_allocating, noise, png
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.reader import read_micrograph


def test_a_progressive_jpeg_is_read_and_one_of_scans_without_end_is_not(tmp_path):
    path = tmp_path / "m.jpg"
    Image.fromarray(noise("u1")).save(path, progressive=True)
    assert read_micrograph(path).shape == noise("u1").shape
    whole = path.read_bytes()
    last = whole[whole.rindex(b"\xff\xda") : -2]
    path.write_bytes(whole[:-2] + last * (2**30 // noise("u1").size + 1) + whole[-2:])
    with pytest.raises(MicrographError, match="scans"):
        read_micrograph(path)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from([".tif", ".png", ".jpg"]),
    edits=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8),
    cut=st.integers(0, 10_000),
)
def test_whatever_a_picture_says_the_answer_is_an_image_or_a_reason(tmp_path, suffix, edits, cut):
    path = tmp_path / f"hostile{suffix}"
    if suffix == ".tif":
        tifffile.imwrite(path, noise("u2"), compression="lzw", rowsperstrip=10)
    else:
        Image.fromarray(noise("u1")).save(path)
    raw = bytearray(path.read_bytes())
    for offset, value in edits:
        raw[offset % len(raw)] = value
    path.write_bytes(raw[: cut % (len(raw) + 1) or None])
    try:
        pixels = read_micrograph(path).pixels
    except MicrographError:
        return
    assert pixels.ndim == 2


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_png_gives_back_grey_as_written(tmp_path, dtype):
    Image.fromarray(noise(dtype) * 2).save(tmp_path / "m.png")
    micrograph = read_micrograph(tmp_path / "m.png")
    np.testing.assert_array_equal(micrograph.pixels, noise(dtype) * 2)
    assert micrograph.pixels.dtype == dtype
    assert micrograph.pixel_size_A is None


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA"])
def test_grey_saved_in_colour_comes_back_grey(tmp_path, mode):
    Image.fromarray(noise("u1")).convert(mode).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_micrograph(tmp_path / "m.png").pixels, noise("u1"))


def test_green_is_brighter_than_blue(tmp_path):
    colours = np.zeros((1, 2, 3), np.uint8)
    colours[0, 0, 1] = colours[0, 1, 2] = 255
    Image.fromarray(colours).save(tmp_path / "m.png")
    green, blue = read_micrograph(tmp_path / "m.png").pixels[0]
    assert green > blue > 0


def test_jpeg_is_close_to_what_was_written(tmp_path):
    ramp = np.tile(np.arange(0, 200, 2, dtype=np.uint8), (64, 1))
    Image.fromarray(ramp).save(tmp_path / "m.jpeg", quality=95)
    assert abs(read_micrograph(tmp_path / "m.jpeg").pixels.astype(int) - ramp).max() <= 4


@pytest.mark.parametrize("side", [10_000, 13_000, 2**15, 2**31 - 1])
def test_a_png_that_claims_too_much_is_refused_without_a_warning(tmp_path, side):
    (tmp_path / "m.png").write_bytes(png(side, side, zlib.compress(bytes(100))))
    assert_refused_without_allocating(tmp_path / "m.png")


@pytest.mark.parametrize("length", [2**31 - 1, 2**32 - 1])
@pytest.mark.parametrize("chunk", [b"IDAT", b"tEXt", b"IEND"])
def test_a_png_chunk_that_claims_gigabytes_allocates_nothing(tmp_path, length, chunk):
    Image.fromarray(noise("u1")).save(tmp_path / "m.png", pnginfo=comment())
    raw = bytearray((tmp_path / "m.png").read_bytes())
    struct.pack_into(">I", raw, raw.index(chunk) - 4, length)
    (tmp_path / "m.png").write_bytes(raw)
    tracemalloc.start()
    try:
        with contextlib.suppress(MicrographError):  # the pixels may lie before the damage
            np.testing.assert_array_equal(read_micrograph(tmp_path / "m.png").pixels, noise("u1"))
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def comment() -> PngInfo:
    info = PngInfo()
    info.add_text("about", "a micrograph")
    return info


def test_a_moving_picture_is_refused(tmp_path):
    first, second = Image.fromarray(noise("u1")), Image.fromarray(noise("u1")[::-1])
    first.save(tmp_path / "m.png", save_all=True, append_images=[second])
    with pytest.raises(MicrographError, match="2 frames"):
        read_micrograph(tmp_path / "m.png")


def test_another_kind_of_picture_is_not_opened_by_its_content(tmp_path):
    Image.fromarray(noise("u1")).save(tmp_path / "m.gif")
    (tmp_path / "m.gif").rename(tmp_path / "m.png")
    with pytest.raises(MicrographError, match="cannot be decoded"):
        read_micrograph(tmp_path / "m.png")
