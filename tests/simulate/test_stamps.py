import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopick_ray.simulate.density import CONTRAST_V_A3_PER_KDA, box_for
from cryopick_ray.simulate.gaussians import gaussian_projection
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.projection import random_rotations
from cryopick_ray.simulate.stamps import LARGEST_BOX, add_fragment, add_particles

APOFERRITIN, RIBOSOME, PROTEASOME = map(load_molecule, ("apoferritin", "ribosome-80s", "proteasome-capped"))
SMALL, ENLARGED = (PROTEASOME, 4.0), (RIBOSOME, 2.5)


def drawn(molecule, pixel_size_A, x_px, y_px, shape, rotation=None, scale=1.0):
    image = np.zeros(shape, np.float32)
    rotations = np.eye(3)[None] if rotation is None else rotation
    centre = np.array([x_px]), np.array([y_px])
    add_particles(image, molecule, rotations, *centre, np.array([scale]), pixel_size_A)
    return image


def exact(molecule, pixel_size_A, x_px, y_px, shape, rotation):
    """Return the projection by formula, cut out of a larger one."""
    side = 2 * (max(shape) + 400)
    shift_A = np.array([x_px, y_px, 0]) * pixel_size_A
    centres_A = (molecule.centres_A @ rotation[0].T + shift_A).astype(np.float32)
    weight = molecule.weight_kDa * np.float32(CONTRAST_V_A3_PER_KDA)
    whole = gaussian_projection(centres_A, molecule.sigma_A, weight, pixel_size_A, side)
    return whole[side // 2 : side // 2 + shape[0], side // 2 : side // 2 + shape[1]]


def centre_of_mass(image):
    rows, columns = np.indices(image.shape)
    return np.array([(columns * image).sum(dtype=float), (rows * image).sum(dtype=float)]) / image.sum(
        dtype=float
    )


def mass_kDa(image, pixel_size_A):
    return image.sum(dtype=float) * pixel_size_A**2 / CONTRAST_V_A3_PER_KDA


def test_the_cases_cover_plain_and_enlarged_stamps():
    assert box_for(*SMALL) < LARGEST_BOX < box_for(*ENLARGED)


@settings(max_examples=12, deadline=None)
@given(
    case=st.sampled_from([SMALL, ENLARGED]),
    x_px=st.floats(118, 122),
    y_px=st.floats(108, 112),
    seed=st.integers(0, 9),
)
def test_stamps_lie_where_they_should_and_equal_the_formula(case, x_px, y_px, seed):
    molecule, pixel_size_A = case
    shape, rotation = (220, 240), random_rotations(np.random.default_rng(seed), 1)
    image = drawn(molecule, pixel_size_A, x_px, y_px, shape, rotation)
    truth = exact(molecule, pixel_size_A, x_px, y_px, shape, rotation)
    assert np.abs(image - truth).max() <= 0.025 * truth.max()
    assert np.linalg.norm(image - truth) <= 0.012 * np.linalg.norm(truth)
    assert np.abs(centre_of_mass(image) - (x_px, y_px)).max() < 0.1
    assert mass_kDa(image, pixel_size_A) == pytest.approx(molecule.mass_kDa, rel=0.01)


@pytest.mark.parametrize("case", [SMALL, ENLARGED])
def test_a_shift_of_whole_pixels_moves_the_stamp_and_nothing_else(case):
    shape = (200, 201)
    assert np.array_equal(
        drawn(*case, 90.25, 95.75, shape)[:-4, :-7], drawn(*case, 97.25, 99.75, shape)[4:, 7:]
    )


@pytest.mark.parametrize("case", [SMALL, ENLARGED])
@pytest.mark.parametrize("x_px", [-30.4, 0.0, 55.3, 99.99, 131.7])
@pytest.mark.parametrize("y_px", [-20.5, 0.3, 79.9, 100.2])
def test_over_an_edge_a_particle_is_cut_and_comes_in_nowhere_else(case, x_px, y_px):
    margin = 250
    large = drawn(*case, x_px + margin, y_px + margin, (80 + 2 * margin, 100 + 2 * margin))
    inner = large[margin : margin + 80, margin : margin + 100]
    np.testing.assert_allclose(drawn(*case, x_px, y_px, (80, 100)), inner, atol=1e-4 * large.max())


@pytest.mark.parametrize("far", [(-900.0, 40.0), (40.0, 1e4), (1e4, -1e4)])
def test_out_of_reach_nothing_is_drawn(far):
    assert not drawn(*SMALL, *far, (80, 100)).any()


def test_many_particles_are_the_sum_of_each_times_its_scale():
    shape, rng = (300, 320), np.random.default_rng(1)
    rotations, scale = random_rotations(rng, 3), np.array([1.0, 0.5, 2.0])
    x_px, y_px = rng.uniform(0, 300, (2, 3))
    together = np.zeros(shape, np.float32)
    add_particles(together, APOFERRITIN, rotations, x_px, y_px, scale, 4.0)
    one_by_one = sum(
        drawn(APOFERRITIN, 4.0, x_px[i], y_px[i], shape, rotations[i : i + 1], scale[i]) for i in range(3)
    )
    np.testing.assert_allclose(together, one_by_one, atol=1e-4 * together.max())


def test_no_particles_change_nothing():
    image = np.ones((64, 64), np.float32)
    nothing = np.zeros(0)
    add_particles(image, APOFERRITIN, np.zeros((0, 3, 3)), nothing, nothing, nothing, 4.0)
    assert np.all(image == 1)


@settings(max_examples=10, deadline=None)
@given(
    share=st.floats(0.05, 0.95),
    scale=st.floats(0.2, 2),
    seed=st.integers(0, 9),
    pixel_size_A=st.sampled_from([4.0, 12.0]),
)
def test_a_fragment_has_its_share_of_the_mass_on_one_side(share, scale, seed, pixel_size_A):
    rotation, shape = random_rotations(np.random.default_rng(seed), 1), (200, 200)
    part = np.zeros(shape, np.float32)
    add_fragment(part, PROTEASOME, rotation[0], 100.3, 90.6, share, scale, pixel_size_A)
    assert mass_kDa(part, pixel_size_A) == pytest.approx(share * scale * PROTEASOME.mass_kDa, rel=0.01)
    rest = exact(PROTEASOME, pixel_size_A, 100.3, 90.6, shape, rotation) * scale - part
    if pixel_size_A == 4.0:  # finer than the molecule's Gaussians
        assert rest.min() > -0.01 * part.max()
    assert centre_of_mass(part)[0] < 100.3 < centre_of_mass(rest)[0]
