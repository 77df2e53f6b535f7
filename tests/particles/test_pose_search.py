"""Projection matching finds poses that were hidden, and gives one to every image, noise included."""

import numpy as np
import pytest
from made_images import PIXEL_A, SIDE, defocus, images_of, molecule, random_angles, write_stack

from cryopick_ray.errors import PicksError
from cryopick_ray.particles.particle_star import read_particles
from cryopick_ray.particles.volume.fsc import agreement
from cryopick_ray.particles.volume.gridding import sphere
from cryopick_ray.particles.volume.pose_search import find_poses
from cryopick_ray.particles.volume.reconstruct import halves_of, reconstruct
from cryopick_ray.particles.volume.reconstruction_settings import SearchSettings
from cryopick_ray.particles.volume.symmetry import rotations_of
from cryopick_ray.simulate.projection import euler_to_rotations

N = 40
C1 = rotations_of("C1")
SEARCH = SearchSettings(resolution_A=12.0, range_A=16.0, step_deg=15.0, finest_deg=2.0)
DIAMETER_A = 0.6 * SIDE * PIXEL_A


@pytest.fixture(scope="module")
def volume():
    return molecule()


def degrees_apart(first, second):
    trace = np.einsum("nij,nij->n", first, second)
    return np.rad2deg(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


@pytest.mark.parametrize("with_ctf", [False, True])
def test_hidden_poses_are_found(tmp_path, volume, with_ctf):
    angles, rng = random_angles(N), np.random.default_rng(1)
    shift_px = rng.uniform(-2.5, 2.5, (N, 2))
    ctf = defocus(N) if with_ctf else None
    images = images_of(volume, angles, ctf, shift_px, noise=0.3)
    known_px = shift_px.round()
    star = write_stack(tmp_path, images, ctf=ctf, origin_A=known_px * PIXEL_A)
    poses, scores = find_poses(read_particles(star), volume, C1, SEARCH, DIAMETER_A)
    apart = degrees_apart(poses.rotations, euler_to_rotations(angles))
    assert np.median(apart) < 3
    assert np.mean(apart < 6) > 0.9
    off_A = np.linalg.norm(poses.origin_A - shift_px * PIXEL_A, axis=1)
    assert np.median(off_A) < 0.3 * PIXEL_A
    assert scores.min() > 5


def test_a_symmetric_reference_needs_one_part_of_the_views(tmp_path, volume):
    turns = rotations_of("C2")
    turned = volume[:, ::-1, ::-1]
    symmetric = (volume + np.roll(turned, (1, 1), (1, 2))).astype(np.float32)
    angles = random_angles(N)
    star = write_stack(tmp_path, images_of(symmetric, angles, noise=0.2))
    poses, _ = find_poses(read_particles(star), symmetric, turns, SEARCH, DIAMETER_A)
    true = euler_to_rotations(angles)
    apart = np.min([degrees_apart(poses.rotations, true @ turn) for turn in turns], axis=0)
    assert np.mean(apart < 6) > 0.9


def test_noise_gets_poses_and_agrees_with_the_reference_as_far_as_it_is_compared(tmp_path, volume):
    """What false picks do: an image of nothing is turned until it looks like the reference."""
    noise = np.random.default_rng(0).normal(size=(300, SIDE, SIDE)).astype(np.float32)
    particles = read_particles(write_stack(tmp_path, noise))
    search = SEARCH.model_copy(update={"resolution_A": 20.0})
    poses, scores = find_poses(particles, volume, C1, search, DIAMETER_A)
    assert 2 < np.median(scores) < 6
    maps = reconstruct(particles, poses, halves_of(particles, 0), C1)
    found = agreement(*maps.halves, sphere(SIDE, SIDE / 2 - 5, 5.0).numpy(), PIXEL_A)
    compared = round(SIDE * PIXEL_A / 20.0)
    assert found.masked[2 : compared - 1].min() > 0.3
    assert abs(found.masked[compared + 3 :].mean()) < 0.15


def test_what_a_filter_took_away_does_not_count(tmp_path, volume):
    angles = random_angles(N)
    spectra = np.fft.rfft2(images_of(volume, angles, noise=0.3))
    spectra[:, np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)) > 0.2] = 0
    star = write_stack(tmp_path, np.fft.irfft2(spectra))
    poses, _ = find_poses(read_particles(star), volume, C1, SEARCH, DIAMETER_A)
    assert np.mean(degrees_apart(poses.rotations, euler_to_rotations(angles)) < 6) > 0.9


def test_images_of_nothing_are_refused(tmp_path, volume):
    particles = read_particles(write_stack(tmp_path, np.ones((3, SIDE, SIDE))))
    with pytest.raises(PicksError, match="images without content"):
        find_poses(particles, volume, C1, SEARCH, DIAMETER_A)


def test_the_coarsest_search_finds_something(tmp_path, volume):
    star = write_stack(tmp_path, images_of(volume, random_angles(4), noise=1.0))
    coarse = SearchSettings(step_deg=30.0, finest_deg=30.0)
    poses, scores = find_poses(read_particles(star), volume, rotations_of("D99"), coarse, DIAMETER_A)
    assert np.isfinite(poses.rotations).all()
    assert (scores > 0).all()


def test_equal_images_get_equal_poses(tmp_path, volume):
    star = write_stack(tmp_path, images_of(volume, random_angles(8), noise=1.0))
    first, again = (find_poses(read_particles(star), volume, C1, SEARCH, DIAMETER_A) for _ in range(2))
    assert np.array_equal(first[0].rotations, again[0].rotations)
    assert np.array_equal(first[0].origin_A, again[0].origin_A)
