import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from cryopick_ray.errors import UsageError
from cryopick_ray.simulate.gaussians import gaussian_field, gaussian_projection
from cryopick_ray.simulate.projection import (
    euler_to_rotations,
    preferred_rotations,
    project,
    random_rotations,
    rotations_to_euler,
)

SIDE = 64
VOXEL_A = 2.0
ANGLE = st.floats(-180, 180)


def cloud(seed: int = 0, count: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A lopsided molecule of about 70 A; returns centres, widths and weights."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(count, 3))
    directions *= 30 * rng.uniform(size=(count, 1)) ** 0.5 / np.linalg.norm(directions, axis=1, keepdims=True)
    return (
        directions.astype(np.float32),
        np.full(count, 4.0, np.float32),
        np.linspace(0.5, 2, count, dtype="f4"),
    )


def centre_of_mass(image: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(image.shape)
    return np.array([(columns * image).sum(), (rows * image).sum()]) / image.sum() - SIDE // 2


@pytest.mark.parametrize("seed", range(4))
def test_a_point_projects_to_a_point_where_the_rotation_puts_it(seed):
    rng = np.random.default_rng(seed)
    place = np.array([14.0, -9.0, 11.0])  # x, y, z in voxels
    volume = gaussian_field(
        (place * VOXEL_A)[None].astype("f4"), np.array([3.0], "f4"), np.ones(1, "f4"), VOXEL_A, SIDE
    )
    (rotation,) = random_rotations(rng, 1)
    (image,) = project(volume, rotation[None])
    x, y = (rotation @ place)[:2] + SIDE // 2
    row, column = np.unravel_index(image.argmax(), image.shape)
    assert abs(row - y) <= 0.5 + 0.05
    assert abs(column - x) <= 0.5 + 0.05
    rows, columns = np.indices(image.shape)
    away = np.hypot(rows - y, columns - x) > 4 * 3.0 / VOXEL_A
    assert np.abs(image[away]).max() < 0.02 * image.max()


@pytest.mark.parametrize("seed", range(3))
def test_a_projection_of_gaussians_is_their_analytic_projection(seed):
    centres_A, sigma_A, weight = cloud(seed)
    volume = gaussian_field(centres_A, sigma_A, weight, VOXEL_A, SIDE)
    rotations = random_rotations(np.random.default_rng(seed), 6)
    for image, rotation in zip(project(volume, rotations) * VOXEL_A, rotations, strict=True):
        turned = (centres_A @ rotation.T).astype("f4")
        exact = gaussian_projection(turned, sigma_A, weight, VOXEL_A, SIDE)
        assert np.corrcoef(image.ravel(), exact.ravel())[0, 1] > 0.999
        assert np.abs(image - exact).max() < 0.02 * exact.max()
        expected = weight @ turned[:, :2] / weight.sum() / VOXEL_A
        inner = np.where(exact > 0.01 * exact.max(), image, 0)
        np.testing.assert_allclose(centre_of_mass(inner), expected, atol=0.05)


def test_the_analytic_projection_is_the_sum_of_the_field():
    centres_A, sigma_A, weight = cloud()
    field = gaussian_field(centres_A, sigma_A, weight, VOXEL_A, SIDE)
    exact = gaussian_projection(centres_A, sigma_A, weight, VOXEL_A, SIDE)
    np.testing.assert_allclose(field.sum(axis=0) * VOXEL_A, exact, atol=2e-4 * exact.max())


def test_mass_is_kept_in_every_orientation():
    volume = gaussian_field(*cloud(), VOXEL_A, SIDE)
    sums = project(volume, random_rotations(np.random.default_rng(1), 20)).sum(axis=(1, 2))
    np.testing.assert_allclose(sums, volume.sum(), rtol=0.02)


def test_upright_is_the_sum_along_z():
    volume = gaussian_field(*cloud(), VOXEL_A, SIDE)
    (image,) = project(volume, np.eye(3)[None])
    expected = volume.sum(axis=0)
    np.testing.assert_allclose(image, expected, atol=0.03 * expected.max())


def test_a_turn_about_the_beam_turns_the_image():
    volume = gaussian_field(*cloud(), VOXEL_A, SIDE)
    (rotation,) = random_rotations(np.random.default_rng(2), 1)
    quarter = Rotation.from_euler("z", 90, degrees=True).as_matrix()  # x to y: columns to rows
    image, turned = project(volume, np.stack([rotation, quarter @ rotation]))
    # About pixel SIDE // 2: point (x, y) goes to (-y, x); row and column 0 have no partner.
    expected = np.flip(image[1:, 1:].T, axis=1)
    np.testing.assert_allclose(turned[1:, 1:], expected, atol=0.01 * image.max())


def test_the_view_from_behind_is_the_mirror_image():
    volume = gaussian_field(*cloud(), VOXEL_A, SIDE)
    (rotation,) = random_rotations(np.random.default_rng(3), 1)
    front, back = project(volume, np.stack([rotation, np.diag([-1.0, 1.0, -1.0]) @ rotation]))
    np.testing.assert_allclose(back[:, 1:], np.flip(front[:, 1:], axis=1), atol=0.01 * front.max())


def test_batches_do_not_show():
    volume = gaussian_field(*cloud(), VOXEL_A, SIDE)
    rotations = random_rotations(np.random.default_rng(4), 11)
    together = project(volume, rotations)
    np.testing.assert_allclose(project(volume, rotations[9:10])[0], together[9], atol=1e-6 * together.max())
    np.testing.assert_array_equal(project(volume, rotations), together)


@settings(max_examples=50, deadline=None)
@given(ANGLE, st.floats(0, 180), ANGLE)
def test_euler_angles_are_relions(rot, tilt, psi):
    (matrix,) = euler_to_rotations([[rot, tilt, psi]])
    about_z, about_y, in_plane = (
        Rotation.from_rotvec(np.deg2rad(angle) * np.array(axis)).as_matrix()
        for angle, axis in ((rot, (0, 0, 1)), (tilt, (0, 1, 0)), (psi, (0, 0, 1)))
    )
    np.testing.assert_allclose(matrix, (about_z @ about_y @ in_plane).T, atol=1e-12)
    np.testing.assert_allclose(
        matrix, Rotation.from_euler("ZYZ", [rot, tilt, psi], degrees=True).inv().as_matrix(), atol=1e-12
    )


@settings(max_examples=100, deadline=None)
@given(ANGLE, st.one_of(st.floats(0, 180), st.sampled_from([0.0, 1e-6, 180.0, 179.999999])), ANGLE)
def test_euler_angles_come_back(rot, tilt, psi):
    matrices = euler_to_rotations([[rot, tilt, psi]])
    angles = rotations_to_euler(matrices)
    assert 0 <= angles[0, 1] <= 180
    np.testing.assert_allclose(euler_to_rotations(angles), matrices, atol=1e-6)


def test_random_rotations_are_proper_and_even():
    rotations = random_rotations(np.random.default_rng(5), 20_000)
    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.eye(3)[None].repeat(20_000, 0), atol=1e-9
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1)
    # Haar measure: entries have mean 0 and variance 1/3; the turn's angle has density (1 - cos a) / pi.
    np.testing.assert_allclose(rotations.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose((rotations**2).mean(axis=0), 1 / 3, atol=0.02)
    angle = np.arccos((np.trace(rotations, axis1=1, axis2=2) - 1) / 2)
    assert angle.mean() == pytest.approx(np.pi / 2 + 2 / np.pi, abs=0.02)
    np.testing.assert_array_equal(rotations[:5], random_rotations(np.random.default_rng(5), 20_000)[:5])


@pytest.mark.parametrize("axis", [(0, 0, 1), (0, 0, -1), (1, -2, 0.5)])
def test_preferred_views_lie_about_the_axis(axis):
    rotations = preferred_rotations(np.random.default_rng(6), 4000, axis, spread_deg=8)
    np.testing.assert_allclose(np.linalg.det(rotations), 1)
    view = rotations[:, 2]  # the molecule's direction along the beam
    along = view @ np.array(axis) / np.linalg.norm(axis)
    tilt_deg = np.rad2deg(np.arccos(np.clip(along, -1, 1)))
    assert np.sqrt((tilt_deg**2).mean() / 2) == pytest.approx(8, rel=0.05)
    psi = rotations_to_euler(rotations)[:, 2]
    assert np.abs(np.exp(1j * np.deg2rad(psi)).mean()) < 0.05


def test_a_wide_spread_sees_everything():
    view = preferred_rotations(np.random.default_rng(7), 4000, spread_deg=1000)[:, 2]
    np.testing.assert_allclose(view.mean(axis=0), 0, atol=0.05)


def test_what_cannot_be_projected_is_refused():
    with pytest.raises(UsageError, match="cube"):
        project(np.zeros((4, 4, 6), "f4"), np.eye(3)[None])
    with pytest.raises(UsageError, match="even"):
        project(np.zeros((5, 5, 5), "f4"), np.eye(3)[None])
    with pytest.raises(UsageError, match="orthogonal"):
        project(np.zeros((4, 4, 4), "f4"), 2 * np.eye(3)[None])
    with pytest.raises(UsageError, match="spread"):
        preferred_rotations(np.random.default_rng(0), 3, (0, 0, 1), 0)
    with pytest.raises(UsageError, match="axis"):
        preferred_rotations(np.random.default_rng(0), 3, (0, 0, 0), 5)
