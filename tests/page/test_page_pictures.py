"""Tiles show the source micrograph where it is, at every level, from the store and from files."""

import shutil
from io import BytesIO

import mrcfile
import numpy as np
import pytest
from PIL import Image
from served import PIXEL_SIZE_A, SHAPE, served

from cryopick_ray.micrographs.resample import fourier_resize
from cryopick_ray.page.filtered_views import filtered
from cryopick_ray.page.kept import Kept
from cryopick_ray.page.levels import Pyramid, binned, cropped, levels_of
from cryopick_ray.store.layout import shard_key

SPOT, SIGMA_PX = (700.0, 301.5), 24.0


def spot(height, width, sigma_px=SIGMA_PX):
    rows, columns = np.indices((height, width), np.float32)
    return np.exp(-((columns - SPOT[0]) ** 2 + (rows - SPOT[1]) ** 2) / (2 * sigma_px**2))


def decoded(content):
    return np.asarray(Image.open(BytesIO(content)), np.float64)


def centre(image):
    """Return where the bright spot of an image is, from the edge of its first pixel."""
    weight = np.clip(image - 128, 0, None) ** 2
    rows, columns = np.indices(image.shape)
    return (weight * (columns + 0.5)).sum() / weight.sum(), (weight * (rows + 0.5)).sum() / weight.sum()


@pytest.mark.parametrize("level", [8, 9, 10])
@pytest.mark.parametrize("kind", ["cropped", "binned", "odd"])
def test_a_place_is_where_it_is_in_the_source_at_every_level(kind, level):
    shape = (1024, 1000) if kind != "odd" else (1023, 1001)
    image = spot(*shape)
    if kind == "cropped":
        small = fourier_resize(image, (256, 250))
        made = levels_of(small, cropped(shape, small.shape))
    else:
        height, width = (side // 2 for side in shape)
        small = image[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3))
        made = levels_of(small, binned(2))
    pyramid = Pyramid(shape)
    step = 2 ** (pyramid.max_level - level)
    whole = np.zeros((-(-shape[0] // step), -(-shape[1] // step)))
    for row in range(-(-whole.shape[0] // 256)):
        for column in range(-(-whole.shape[1] // 256)):
            rect, size = pyramid.rect(level, column, row)
            tile = decoded(made.tile(rect, size))
            assert tile.shape == size[::-1]
            whole[row * 256 : row * 256 + size[1], column * 256 : column * 256 + size[0]] = tile
    x, y = (one * step - 0.5 for one in centre(whole))
    assert (x, y) == pytest.approx(SPOT, abs=0.15 * step + 0.3)


def test_tiles_of_a_level_cover_the_source_once():
    pyramid = Pyramid((700, 1300))
    for level in range(pyramid.max_level + 1):
        step = 2 ** (pyramid.max_level - level)
        area = 0
        for row in range(-(-700 // step // 256) or 1):
            for column in range(-(-1300 // step // 256) or 1):
                (left, top, right, bottom), (width, height) = pyramid.rect(level, column, row)
                assert (right - left, bottom - top) == (width * step, height * step)
                area += width * height
        assert area == -(-700 // step) * -(-1300 // step)


def test_beyond_the_store_tiles_show_the_files_own_pixels(picked, tmp_path):
    with served(picked / "run", curation=tmp_path / "c") as page:
        about = page.json("api/pyramid/0")
        assert (about["height_px"], about["width_px"]) == SHAPE
        tile = decoded(page.get(f"api/tile/plain/0/{about['max_level']}/0_0.jpg")[1])
        name = page.json("api/micrographs")["columns"]["id"][0]
        with mrcfile.open(picked / "micrographs" / name) as mrc:
            own = mrc.data[:256, :256].astype(np.float64)
        assert np.corrcoef(tile.ravel(), np.clip(own, *np.percentile(own, (1, 99))).ravel())[0, 1] > 0.98
        stored = decoded(page.get(f"api/tile/plain/0/{about['max_level'] - 1}/0_0.jpg")[1])
        assert stored.shape == (256, 256)


@pytest.mark.parametrize("look", ["band", "denoised"])
def test_filtered_looks_show_particles_better_than_the_pixels_do(look):
    rng = np.random.default_rng(0)
    rows, columns = np.indices((512, 512))
    truth = np.zeros((512, 512))
    for x, y in rng.uniform(30, 480, (40, 2)):
        truth -= np.hypot(columns - x, rows - y) < 12
    noisy = truth + 5 * rng.normal(size=truth.shape)
    plain = np.corrcoef(noisy.ravel(), truth.ravel())[0, 1]
    shown = np.corrcoef(filtered(noisy, look, 24).ravel(), truth.ravel())[0, 1]
    assert shown > 2.5 * plain


@pytest.mark.parametrize("look", ["plain", "band", "denoised"])
def test_every_look_has_every_tile(picked, tmp_path, look):
    with served(picked / "run", curation=tmp_path / "c") as page:
        for level in range(page.json("api/pyramid/1")["max_level"] + 1):
            status, content = page.get(f"api/tile/{look}/1/{level}/0_0.jpg")
            assert status == 200
            assert decoded(content).std() > 1 or level < 6
        for name in ("thumbnail", "picture"):
            side = max(decoded(page.get(f"api/{name}/1.jpg")[1]).shape)
            assert side == min({"thumbnail": 160, "picture": 1024}[name], max(SHAPE) // 2)


def test_files_alone_are_shown_with_the_coordinates_beside_them(picked, tmp_path):
    with served(
        picked / "truth", micrographs=str(picked / "micrographs"), curation=tmp_path / "c", diameter_A=150.0
    ) as page:
        listed = page.json("api/micrographs")
        assert listed["n"] == 4
        assert listed["columns"]["pixel_size_A"] == [PIXEL_SIZE_A] * 4
        for i in range(4):
            assert page.get(f"api/thumbnail/{i}.jpg")[0] == 200
            assert len(page.candidates(i)["x_px"]) == 25
        assert decoded(page.get("api/tile/plain/2/10/0_0.jpg")[1]).shape == (256, 256)


def test_a_lost_picture_is_told_and_the_rest_is_shown(run):
    with served(run) as page:
        name = page.json("api/micrographs")["columns"]["id"][1]
        (run / "store.zarr" / shard_key(name)).write_bytes(b"damaged")
        assert page.get("api/thumbnail/1.jpg")[0] == 200  # made as it was picked
        shutil.rmtree(run / "pictures")
        for path in ("api/tile/plain/1/9/0_0.jpg", "api/picture/1.jpg"):
            status, content = page.get(path)
            assert status == 404
            assert name.encode() in content
            assert page.get(path.replace("1.jpg", "0.jpg").replace("/1/", "/0/"))[0] == 200
        assert page.candidates(1)["score"].size


def test_what_is_kept_stays_within_its_bytes_and_is_made_once():
    kept, made = Kept(100, len), []
    for number in (0, 1, 2, 0, 3, 0, 4, 0):
        kept.get(number, lambda number=number: made.append(number) or bytes(30))
        assert kept.bytes <= 100
    assert made == [0, 1, 2, 3, 4]  # 0 was asked for often enough to stay
    assert len(kept.get("large", lambda: bytes(500))) == 500
    kept.get("small", lambda: bytes(1))
    assert kept.bytes <= 100
