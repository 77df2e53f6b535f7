"""Classes of helical segments: turns are looked for along the filament, either way round."""

import numpy as np
import pytest
from made_images import write_stack

from cryopick_ray.engine.events import Silence
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.errors import UsageError
from cryopick_ray.formats.relion.helical import HELICAL
from cryopick_ray.particles.classes.classification_settings import ClassSettings
from cryopick_ray.particles.classes.psi_prior import by_turns
from cryopick_ray.particles.classes.turning import psi_grid
from cryopick_ray.particles.particle_star import read_particles, write_particles
from cryopick_ray.runs.classified import classify2d

SIDE, WIDTH_PX, REPEAT_PX, N = 48, 12.0, 8.0, 240


def segments(rng, noise):
    """Return images of a filament with a zigzag along it, and its directions: psi."""
    psi = rng.uniform(-180, 180, N)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    direction = -np.radians(psi)[:, None, None]
    along = x * np.cos(direction) + y * np.sin(direction) + rng.uniform(0, REPEAT_PX, (N, 1, 1))
    across = y * np.cos(direction) - x * np.sin(direction)
    zigzag = np.cos(2 * np.pi * along / REPEAT_PX) * across / (WIDTH_PX / 2)
    image = (np.abs(across) < WIDTH_PX / 2) * (1 + zigzag)
    return (image + rng.normal(0, noise, image.shape)).astype(np.float32), psi


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a stack of segments, their directions, and classes with and without looking along them."""
    folder, rng = tmp_path_factory.mktemp("segments"), np.random.default_rng(1)
    images, psi = segments(rng, noise=3.0)
    plain = write_stack(folder, images)
    given = (psi + rng.normal(0, 3, N) + 180 * rng.integers(0, 2, N) + 180) % 360 - 180
    values = np.arange(N) // 12 + 1, np.full(N, 90.0), given, np.arange(N) % 12 * 24.0, np.full(N, 0.5)
    path = folder / "segments.star"
    write_particles(path, read_particles(plain), dict(zip(HELICAL, values, strict=True)))
    return path, psi, {helix: classified(path, folder / f"{helix}", helix=helix) for helix in (None, False)}


def classified(path, out, **given):
    settings = ClassSettings(particles=path, classes=2, iterations=12, **given)
    return classify2d(settings, out, SerialEngine(), Silence(), device="cpu")


def off(psi, other):
    return np.abs((psi - other + 90) % 180 - 90)


def slope_deg(average):
    """Return how far the longest axis of an average is off the horizontal."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    inside = np.hypot(x, y) < 0.4 * SIDE
    weight = np.clip(average, 0, None) * inside
    xx, yy, xy = ((weight * one).sum() for one in (x * x, y * y, x * y))
    return np.degrees(0.5 * np.arctan2(2 * xy, xx - yy))


def test_averages_show_the_filament_horizontally(made):
    _, psi, outcomes = made
    classes = outcomes[None].classes
    for number in classes.ranking:
        assert abs(slope_deg(classes.averages[number])) < 6
    assert off(classes.psi_deg, psi).max() < 32
    assert np.median(off(classes.psi_deg, psi)) < 6
    assert any("`helix`" in note for note in outcomes[None].notes)


def test_averages_show_the_repeat(made):
    classes = made[2][None].classes
    best = classes.averages[classes.ranking[0]]
    row = best[SIDE // 2 + 4, 8:40] - best[SIDE // 2 - 4, 8:40]
    wave = np.abs(np.fft.rfft(row))
    assert wave[1:].argmax() + 1 == round(32 / REPEAT_PX)


def test_without_it_filaments_lie_anyhow(made):
    classes = made[2][False].classes
    assert np.median(off(classes.psi_deg, made[1])) > 10


def test_a_stack_without_directions_is_refused_or_classified_as_any(tmp_path):
    plain = write_stack(tmp_path, segments(np.random.default_rng(0), 1.0)[0])
    with pytest.raises(UsageError, match="`helix`"):
        classified(plain, tmp_path / "out", helix=True)


def test_every_image_is_in_one_group_and_its_direction_among_the_turns():
    rng = np.random.default_rng(0)
    prior = np.where(rng.random(500) < 0.1, np.nan, rng.uniform(-400, 400, 500))
    grid = np.array(psi_grid(12.0))
    seen = np.zeros(500, int)
    for rows, turns in by_turns(prior, tuple(grid)):
        seen[rows] += 1
        if turns is None:
            assert np.isnan(prior[rows]).all()
            continue
        assert len(turns) == 6
        away = off(grid[turns][:, None], prior[rows])
        assert away.max() <= 18 + 1e-9
        assert (np.sort(away, axis=0)[:2] <= 6 + 1e-9).all()
    assert (seen == 1).all()
