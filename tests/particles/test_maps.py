"""Maps from images with poses: what was projected comes back, wherever it lay in its images."""

import numpy as np
import pytest
import torch
from made_images import PIXEL_A, SIDE, defocus, images_of, molecule, random_angles, write_stack

from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.particles.particle_star import read_particles
from cryopick_ray.particles.volume import reconstruct as module
from cryopick_ray.particles.volume.fsc import fsc
from cryopick_ray.particles.volume.gridding import solve
from cryopick_ray.particles.volume.insertion import SliceSums, tensor
from cryopick_ray.particles.volume.padded_spectrum import disc, map_of, on_slices, slices, spectrum_of
from cryopick_ray.particles.volume.reconstruct import Poses, halves_of, reconstruct
from cryopick_ray.particles.volume.symmetry import rotations_of
from cryopick_ray.particles.volume.view_directions import directions, even_rotations, sampling
from cryopick_ray.simulate.projection import euler_to_rotations, preferred_rotations, project

N = 400
C1 = rotations_of("C1")


@pytest.fixture(scope="module")
def volume():
    return molecule()


def star_of(folder, volume, *, with_ctf=True, noise=0.0, n=N):
    angles, rng = random_angles(n), np.random.default_rng(1)
    shift_px = rng.uniform(-2, 2, (n, 2)).round(4)
    ctf = defocus(n) if with_ctf else None
    images = images_of(volume, angles, ctf, shift_px, noise)
    star = write_stack(folder, images, angles=angles, ctf=ctf, origin_A=shift_px * PIXEL_A)
    return read_particles(star), Poses(euler_to_rotations(angles), shift_px * PIXEL_A)


@pytest.mark.parametrize("with_ctf", [False, True])
def test_what_was_projected_comes_back(tmp_path, volume, with_ctf):
    particles, poses = star_of(tmp_path, volume, with_ctf=with_ctf)
    maps = reconstruct(particles, poses, halves_of(particles, 0), C1)
    assert fsc(maps.whole, volume)[1 : int(0.4 * SIDE) + 1].min() > 0.99
    inside = np.abs(volume) > 0.1 * volume.max()
    assert np.vdot(maps.whole[inside], volume[inside]) / np.vdot(volume[inside], volume[inside]) == (
        pytest.approx(1, abs=0.02)
    )
    assert maps.counts == (N // 2, N // 2)


def test_a_pose_matters_in_every_part(tmp_path, volume):
    particles, poses = star_of(tmp_path, volume)
    half = halves_of(particles, 0)
    wrong = {
        "mirrored": Poses(poses.rotations.transpose(0, 2, 1), poses.origin_A),
        "shifted the other way": Poses(poses.rotations, -poses.origin_A),
        "x for y": Poses(poses.rotations, poses.origin_A[:, ::-1]),
    }
    for name, other in wrong.items():
        assert fsc(reconstruct(particles, other, half, C1).whole, volume)[5:12].mean() < 0.9, name


def test_batches_and_halves_change_nothing(tmp_path, volume, monkeypatch):
    particles, poses = star_of(tmp_path, volume, noise=1.0)
    half = halves_of(particles, 0)
    maps = reconstruct(particles, poses, half, C1)
    monkeypatch.setattr(module, "BATCH", 37)
    again = reconstruct(particles, poses, half, C1)
    other = reconstruct(particles, poses, 3 - half, C1)
    scale = maps.whole.std()
    assert np.abs(again.whole - maps.whole).max() < 1e-3 * scale
    assert np.abs(other.whole - maps.whole).max() < 1e-3 * scale
    assert np.abs(other.halves[0] - maps.halves[1]).max() < 1e-3 * scale
    assert np.abs(maps.halves[0] - maps.halves[1]).max() > scale


def test_equal_seeds_draw_equal_halves(tmp_path, volume):
    particles, _ = star_of(tmp_path, volume, n=50)
    assert np.array_equal(halves_of(particles, 3), halves_of(particles, 3))
    assert not np.array_equal(halves_of(particles, 3), halves_of(particles, 4))
    assert np.bincount(halves_of(particles, 3)).tolist() == [0, 25, 25]


def test_one_half_alone_is_refused(tmp_path):
    images = np.zeros((4, SIDE, SIDE), np.float32)
    star = write_stack(tmp_path, images, angles=random_angles(4), subset=[1, 1, 1, 1])
    with pytest.raises(PicksError, match=r"rlnRandomSubset \[1\]: expected particles of 1 and of 2"):
        halves_of(read_particles(star), 0)


def test_boxes_that_no_memory_holds_are_refused(tmp_path):
    star = write_stack(tmp_path, np.zeros((2, 514, 514)), angles=random_angles(2), subset=[1, 2])
    particles = read_particles(star)
    poses = Poses(euler_to_rotations(random_angles(2)), np.zeros((2, 2)))
    with pytest.raises(PicksError, match="boxes of 514 pixels, expected at most 512"):
        reconstruct(particles, poses, halves_of(particles, 0), C1)


def test_nothing_finer_than_asked_is_in_the_map(tmp_path, volume):
    particles, poses = star_of(tmp_path, volume, noise=1.0)
    coarse = reconstruct(particles, poses, halves_of(particles, 0), C1, resolution_A=16.0).whole
    power = np.abs(np.fft.rfftn(coarse)) ** 2
    along = np.fft.fftfreq(SIDE, 1 / SIDE)
    radius = np.sqrt(along[:, None, None] ** 2 + along[:, None] ** 2 + np.arange(SIDE // 2 + 1) ** 2)
    assert power[radius > 10].mean() < 1e-3 * power[(radius > 4) & (radius < 8)].mean()


@pytest.mark.parametrize(("group", "count"), [("C1", 1), ("c4", 4), ("D3", 6)])
def test_symmetric_poses_are_as_good_as_images(group, count):
    turns = rotations_of(group)
    assert turns.shape == (count, 3, 3)
    assert np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(3))
    images = tensor(np.random.default_rng(0).normal(size=(3, 16, 16)))
    poses = tensor(euler_to_rotations(random_angles(3)))
    both = [SliceSums.empty(16, 8.0), SliceSums.empty(16, 8.0)]
    both[0].add(images, poses[:, None] @ tensor(turns), None, torch.zeros(3, 2))
    for turn in tensor(turns):
        both[1].add(images, poses @ turn, None, torch.zeros(3, 2))
    first, second = (solve(sums).numpy() for sums in both)
    assert np.abs(first - second).max() < 1e-4 * np.abs(first).max()
    assert both[0].count == 3


@pytest.mark.parametrize("group", ["", "T", "C0", "D", "C1000", "7"])
def test_a_symmetry_that_is_not_known_is_refused(group):
    with pytest.raises(UsageError, match="`symmetry` is"):
        rotations_of(group)


def test_a_slice_is_a_projection(volume):
    rotations = euler_to_rotations(random_angles(5))
    places, frequencies = disc(SIDE, SIDE / 2)
    taken = slices(spectrum_of(torch.from_numpy(volume)), on_slices(frequencies, tensor(rotations)))
    spectra = np.fft.rfft2(np.fft.ifftshift(project(volume, rotations), axes=(1, 2))).reshape(5, -1)
    apart = np.abs(taken.numpy() - spectra[:, places])
    assert apart[:, frequencies.norm(dim=1) > 0].max() < 0.01 * np.abs(spectra).max()


def test_a_spectrum_is_that_of_its_map(volume):
    back = map_of(spectrum_of(torch.from_numpy(volume)))
    assert np.corrcoef(back.numpy().ravel(), volume.ravel())[0, 1] > 0.999


def test_directions_are_even():
    made = directions(500)
    assert np.allclose(np.linalg.norm(made, axis=1), 1)
    nearest = np.sort(made @ made.T, axis=1)[:, -2]
    degrees = np.rad2deg(np.arccos(nearest))
    assert degrees.min() > 0.6 * degrees.max()
    assert np.abs(made.T @ made / 500 - np.eye(3) / 3).max() < 0.01


def test_symmetry_thins_the_grid():
    grid = even_rotations(15.0, C1)
    thinned = even_rotations(15.0, rotations_of("D3"))
    assert len(grid) / len(thinned) == pytest.approx(6, rel=0.15)
    trace = np.einsum("nij,mij->nm", grid, euler_to_rotations(random_angles(100)))
    apart = np.rad2deg(np.arccos(np.clip((trace.max(axis=0) - 1) / 2, -1, 1)))
    assert apart.max() < 15


def test_missing_views_are_told():
    rng = np.random.default_rng(0)
    even, unseen = sampling(euler_to_rotations(random_angles(2000)), C1)
    few, missing = sampling(preferred_rotations(rng, 2000, spread_deg=10), C1)
    assert even > 0.95
    assert unseen == 0
    assert few < 0.6
    assert missing > 0.3
    _, gap = sampling(preferred_rotations(rng, 2000, (1, 0, 0), 10), rotations_of("C4"))
    assert gap < 0.5 * missing
