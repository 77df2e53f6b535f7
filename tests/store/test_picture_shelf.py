import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from cryopick_ray.errors import StoreError
from cryopick_ray.store.pictures import (
    PICTURE_BYTES,
    PICTURE_PX,
    THUMBNAIL_BYTES,
    THUMBNAIL_PX,
    PictureShelf,
    make_pictures,
)
from cryopick_ray.store.place import Place


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float16)


def decoded(data):
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as picture:
        assert picture.mode == "L"
        return np.asarray(picture)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([(512, 512), (1024, 1024), (1100, 2060), (3000, 40), (1, 1), (7, 5), (2048, 2048)]),
    st.sampled_from(["noise", "flat", "half", "spike", "large"]),
)
def test_pictures_have_their_size_and_never_more_bytes(shape, kind):
    pixels = noise(shape)
    if kind == "flat":
        pixels[:] = 3
    elif kind == "half":
        pixels[: shape[0] // 2] = 0
    elif kind == "spike":
        pixels[0, 0] = 60000
    elif kind == "large":
        pixels *= 8000
    thumbnail, picture = make_pictures(pixels)
    assert len(picture) <= PICTURE_BYTES
    assert len(thumbnail) <= THUMBNAIL_BYTES
    for data, long_side_px in ((picture, PICTURE_PX), (thumbnail, THUMBNAIL_PX)):
        shrink = min(1, long_side_px / max(shape))
        assert decoded(data).shape == tuple(max(1, round(shrink * side)) for side in shape)
    assert make_pictures(pixels) == (thumbnail, picture)


def test_a_picture_shows_the_image_upright_in_its_own_contrast():
    row, column = np.mgrid[0:1500, 0:2000]
    pixels = (0.01 * (row / 1500 + 0.5 * (column > 1000)) - 7).astype(np.float32)
    for data in make_pictures(pixels):
        seen = decoded(data).astype(float)
        like = np.asarray(Image.fromarray(pixels).resize(seen.shape[::-1], Image.Resampling.BOX))
        assert np.corrcoef(seen.ravel(), like.ravel())[0, 1] > 0.98
        assert (seen.min(), seen.max()) == (0, 255)


def test_any_viewer_finds_the_thumbnail_in_the_picture():
    thumbnail, picture = make_pictures(noise((600, 500)))
    exif = Image.open(io.BytesIO(picture)).getexif()
    about = exif.get_ifd(ExifTags.IFD.IFD1)
    start = 12 + about[ExifTags.Base.JpegIFOffset]  # of what follows the marks of JPEG and Exif
    assert picture[start : start + about[ExifTags.Base.JpegIFByteCount]] == thumbnail


def test_what_is_found_is_whole_and_of_that_very_file(tmp_path):
    shelf = PictureShelf(Place(str(tmp_path)))
    made = make_pictures(noise((300, 200)))
    names = ["a.mrc", "../a.mrc", "b/a.mrc", "/etc/passwd", "x" * 3000, "a\nb", "日本.mrc"]
    for name in names:
        assert shelf.find(name, "crc:1") is None
        assert not shelf.has(name, "crc:1")
        shelf.put(name, "crc:1", made)
        assert shelf.find(name, "crc:1") == made
        assert shelf.find(name, "crc:2") is None
    assert len([*(tmp_path / "pictures").iterdir()]) == len(names)
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data[:70],
        lambda data: b"<html>" + data,
        lambda data: data[:72] + b"\xff\xff\xff\x7f" + data[76:],
        lambda data: data + bytes(PICTURE_BYTES) + b"\xff\xd9",
    ],
)
def test_a_damaged_picture_is_none_and_is_replaced(tmp_path, damage):
    shelf = PictureShelf(Place(str(tmp_path)))
    made = make_pictures(noise((300, 200)))
    shelf.put("a.mrc", "crc", made)
    [path] = (tmp_path / "pictures").iterdir()
    path.write_bytes(damage(made[1]))
    assert shelf.find("a.mrc", "crc") is None
    shelf.put("a.mrc", "crc", made)
    assert shelf.find("a.mrc", "crc") == made


def test_nothing_is_written_through_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "pictures").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="symbolic link"):
        PictureShelf(Place(str(tmp_path / "run"))).put("a.mrc", "crc", make_pictures(noise((30, 20))))
    assert not [*(tmp_path / "elsewhere").iterdir()]
