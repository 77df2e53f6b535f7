"""What is no micrograph is told by its looks, and no micrograph is."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopick_ray.errors import StoreError
from cryopick_ray.micrographs.image_facts import ImageFacts, half_turn, look_at
from cryopick_ray.micrographs.preprocess import prepare
from cryopick_ray.micrographs.reader import read_micrograph
from cryopick_ray.picks.verdict import NOISELESS, TURNED, strangeness
from cryopick_ray.settings.config import fill
from cryopick_ray.simulate.contamination import KINDS, ContaminationSettings, contaminate

DATA = Path(os.environ.get("CRYOPICK_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
FOLDERS = (
    *("apoferritin-10146", "apoferritin-joac", "betagal-10017", "contaminated", "groel-stain", "junk"),
    *("k3-dense-thumbnails", "lattice-streptavidin", "proteasome-20S-defocus", "quality-thumbnails"),
)
SIDE = 512
DIAMETER_A, PIXEL_SIZE_A = 150.0, 4.0


def files(folder):
    found = sorted(path for path in (DATA / folder).rglob("*") if path.suffix in (".mrc", ".png"))
    return [path for path in found if not path.stem.endswith("_mask")]


def stored(pixels, side=SIDE):
    """Return an image as a store holds it, of about ``side`` pixels."""
    part = min(1, side / max(pixels.shape))
    return prepare(pixels, tuple(round(one * part) for one in pixels.shape)).pixels


def why(pixels):
    """Return what is said of an image of a view of 2,048 A, however many pixels it has."""
    return strangeness(look_at(pixels), SIDE * PIXEL_SIZE_A, DIAMETER_A)


def noisy(rng, brightness):
    """Return what a detector counts: 640 electrons a pixel where all pass."""
    return rng.poisson(640 * brightness).astype(np.float32)


@pytest.mark.skipif(not DATA.is_dir(), reason="no real data")
@pytest.mark.parametrize("folder", FOLDERS)
def test_no_real_micrograph_is_strange_nor_its_negative(folder):
    found = files(folder)
    assert found
    for path in found:
        pixels = stored(read_micrograph(path).pixels)
        assert why(pixels) == "", path
        assert why(-pixels) == "", path


@pytest.mark.skipif(not DATA.is_dir(), reason="no real data")
def test_real_overviews_are_strange_at_every_scale():
    for path in files("wrong-input"):
        for side in (256, 512, 1024):
            assert why(stored(read_micrograph(path).pixels, side)), path


@pytest.mark.skipif(not DATA.is_dir(), reason="no real data")
@pytest.mark.parametrize("folder", ["apoferritin-10146", "betagal-10017", "quality-thumbnails"])
def test_the_power_spectrum_of_a_micrograph_is_strange(folder):
    for path in files(folder)[:4]:
        pixels = stored(read_micrograph(path).pixels)
        power = np.fft.fftshift(np.abs(np.fft.fft2(pixels)) ** 2)
        for shown in (np.log(power + 1), np.sqrt(power)):
            assert "turn" in why(stored(shown.astype(np.float32)))


@settings(deadline=None, max_examples=40)
@given(kind=st.sampled_from(sorted(KINDS)), seed=st.integers(0, 10**6), reach=st.floats(0.05, 0.6))
def test_a_simulated_field_is_a_micrograph_whatever_lies_in_it(kind, seed, reach):
    chosen = ContaminationSettings().model_dump()
    chosen = {name: {**chosen[name], "probability": float(name == kind)} for name in KINDS}
    if kind in ("carbon", "gold"):
        chosen[kind]["reach"] = (reach, reach)
    rng = np.random.default_rng(seed)
    there = contaminate(rng, (SIDE, SIDE), PIXEL_SIZE_A, fill(ContaminationSettings, **chosen))
    assert why(stored(noisy(rng, np.exp(-there.absorption)))) == ""


@settings(deadline=None, max_examples=20)
@given(
    seed=st.integers(0, 10**6),
    radius=st.floats(0.08, 0.2),
    spacing=st.floats(2.6, 3.5),
    contrast=st.floats(0.1, 0.5),
    noise=st.floats(0.02, 0.1),
)
def test_a_film_with_several_holes_is_strange(seed, radius, spacing, contrast, noise):
    rng = np.random.default_rng(seed)
    y, x = np.indices((SIDE, SIDE)) / SIDE
    offset = rng.uniform(0, spacing * radius, 2)
    across = [(one - at + 2) % (spacing * radius) for one, at in zip((y, x), offset, strict=True)]
    is_hole = np.hypot(*(one - spacing * radius / 2 for one in across)) < radius
    image = 1 + contrast * is_hole + rng.normal(0, noise, y.shape)
    assert "round holes" in why(stored(image.astype(np.float32)))


def test_one_round_hole_in_black_is_no_overview():
    """A whole hole of a gold foil is seen in micrographs of foils with small holes."""
    y, x = np.indices((SIDE, SIDE))
    rng = np.random.default_rng(0)
    image = noisy(rng, np.where(np.hypot(x - 260, y - 250) < 180, 1.0, 0.05))
    assert why(stored(image)) == ""


@pytest.mark.parametrize("turn_deg", [0, 17, 45])
def test_one_square_window_in_black_is_an_overview(turn_deg):
    y, x = np.indices((SIDE, SIDE)) - SIDE / 2
    cos, sin = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
    inside = np.maximum(abs(cos * x + sin * y), abs(cos * y - sin * x)) < 150
    image = noisy(np.random.default_rng(0), np.where(inside, 1.0, 0.02))
    assert "windows" in why(stored(image))


def test_holes_as_large_as_particles_are_particles_and_bright_balls_are_ice():
    looks = ImageFacts(holes=4, hole_part=0.1)
    assert strangeness(looks, 4000.0, 150.0)
    assert strangeness(looks, 4000.0, 300.0) == ""
    assert strangeness(looks, 4000.0, 150.0, inverted=True) == ""


def test_a_drawing_without_noise_is_strange():
    y, x = np.indices((SIDE, SIDE))
    assert "no noise" in why(stored((x + 0.5 * y).astype(np.float32)))


@pytest.mark.parametrize("shape", [(200, 200), (201, 300), (300, 201)])
def test_half_a_turn_is_known_about_the_middle_and_about_the_middle_pixel(shape):
    image = np.random.default_rng(1).normal(size=shape)
    assert abs(half_turn(image)) < TURNED / 5
    assert half_turn(image + image[::-1, ::-1]) == pytest.approx(1)
    spectrum = image.copy()
    spectrum[1:, 1:] += image[1:, 1:][::-1, ::-1]
    assert half_turn(spectrum) == pytest.approx(1)


def test_looks_come_back_as_they_were_and_of_earlier_stores_not_at_all():
    looks = look_at(stored(np.random.default_rng(2).normal(size=(300, 400))))
    assert looks.noise > 10 * NOISELESS
    assert ImageFacts.from_text(looks.to_text()) == looks
    assert ImageFacts.from_text("") is None
    for text in ("{", "[]", "3", '{"noise": "x"}', '{"other": 1}', '{"noise": NaN}'):
        with pytest.raises(StoreError, match="ingest again"):
            ImageFacts.from_text(text)
