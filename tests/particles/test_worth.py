"""What particles are worth in 3-D: better poses, and fewer false ones, make better maps."""

import numpy as np
import pytest
from made_images import PIXEL_A, SIDE, defocus, images_of, molecule, random_angles, write_stack

from cryopick_ray.errors import PicksError
from cryopick_ray.particles.particle_star import read_particles
from cryopick_ray.particles.volume.fsc import fsc
from cryopick_ray.particles.volume.gridding import sphere
from cryopick_ray.particles.volume.reconstruct import Poses
from cryopick_ray.particles.volume.reference import reference_map, resampled
from cryopick_ray.particles.volume.symmetry import rotations_of
from cryopick_ray.particles.volume.worth import worth_of
from cryopick_ray.simulate.density import density
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.map_file import write_map
from cryopick_ray.simulate.projection import euler_to_rotations

N = 200
C1 = rotations_of("C1")
MASK = sphere(SIDE, SIDE / 2 - 5, 5.0).numpy()


@pytest.fixture(scope="module")
def volume():
    return molecule()


def test_jitter_and_wrong_views_cost_resolution(tmp_path, volume):
    angles, ctf, rng = random_angles(N), defocus(N), np.random.default_rng(2)
    star = write_stack(tmp_path, images_of(volume, angles, ctf, noise=1.0), ctf=ctf)
    particles, centred = read_particles(star), np.zeros((N, 2))
    wrong = angles.copy()
    wrong[: N // 2] = rng.permutation(wrong[: N // 2])
    poses = {
        "true": Poses(euler_to_rotations(angles), centred),
        "jitter": Poses(euler_to_rotations(angles), rng.normal(0, 3 * PIXEL_A, (N, 2))),
        "wrong": Poses(euler_to_rotations(wrong), centred),
    }
    found = {name: worth_of(particles, pose, C1, MASK, volume) for name, pose in poses.items()}
    assert found["true"].reference_A < 0.8 * found["jitter"].reference_A
    assert found["true"].reference_A < found["wrong"].reference_A
    assert max(found["true"].half_A) < min(found["jitter"].half_A)
    again = worth_of(particles, poses["true"], C1, MASK, volume)
    assert np.array_equal(again.volume, found["true"].volume)
    assert len(set(found["true"].half_A)) > 1
    assert found["true"].sampling == found["jitter"].sampling


def test_too_few_particles_are_refused(tmp_path, volume):
    star = write_stack(tmp_path, images_of(volume, random_angles(3), noise=1.0))
    poses = Poses(np.tile(np.eye(3), (3, 1, 1)), np.zeros((3, 2)))
    with pytest.raises(PicksError, match="3 particles"):
        worth_of(read_particles(star), poses, C1, MASK, volume)


@pytest.mark.parametrize(("voxel_A", "side"), [(1.5, 160), (3.1, 72), (2.0, 90)])
def test_a_map_of_any_voxels_is_the_molecule_in_the_particles_box(tmp_path, voxel_A, side):
    fine = density(load_molecule("p97"), voxel_A, side)
    wanted = density(load_molecule("p97"), 3.1, 72)
    assert fsc(resampled(fine, np.full(3, voxel_A), 72, 3.1), wanted)[1:28].min() > 0.99
    path = tmp_path / "fine.mrc"
    write_map(path, fine, voxel_A)
    assert fsc(reference_map(str(path), 72, 3.1), wanted)[1:28].min() > 0.99
    assert np.array_equal(reference_map("p97", 72, 3.1), wanted)
