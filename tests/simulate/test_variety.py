import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopick_ray.simulate.gaussians import longest_dimension_A
from cryopick_ray.simulate.library import list_molecules, load_molecule
from cryopick_ray.simulate.molecule import make_molecule
from cryopick_ray.simulate.variety import HOLLOW, STRETCH, varied

NEW_KINDS = "superhelix-4", "micelle-trimer", "nucleosome-like", "ring-pair", "capsid-600-empty"
MOLECULES = st.deferred(
    lambda: st.sampled_from([m for m in list_molecules() if len(m.sigma_A) < 900 or m.name in NEW_KINDS])
)
SEEDS = st.integers(0, 2**32)
few = settings(max_examples=25, deadline=None)


def rng(seed=0):
    return np.random.default_rng(seed)


def gaussians(molecule):
    return molecule.centres_A, molecule.sigma_A, molecule.weight_kDa


def axes(molecule):
    """Return root-mean-square sizes along the principal axes, smallest first, and the axes in columns."""
    spread = np.einsum("k,ki,kj->ij", molecule.weight_kDa, molecule.centres_A, molecule.centres_A)
    own = molecule.weight_kDa @ molecule.sigma_A**2 * np.eye(3)
    squares, directions = np.linalg.eigh((spread + own) / molecule.mass_kDa)
    return np.sqrt(squares), directions


def sizes(molecule):
    return axes(molecule)[0]


def even_ball(count=800, radius_A=60.0):
    points = rng(1).uniform(-radius_A, radius_A, (8 * count, 3))
    inside = points[np.linalg.norm(points, axis=1) < radius_A][:count]
    return make_molecule("ball", inside, 4.0, np.ones(len(inside)), family="ball", mass_kDa=500, how="thrown")


BALL = even_ball()


@given(molecule=MOLECULES, seed=SEEDS)
def test_none_at_all_is_the_same_molecule(molecule, seed):
    assert varied(molecule, rng(seed), 0.0) is molecule


@few
@given(molecule=MOLECULES, seed=SEEDS, amount=st.floats(0.01, 1))
def test_longest_dimension_mass_and_centre_are_kept(molecule, seed, amount):
    other = varied(molecule, rng(seed), amount)
    assert (other.diameter_A, other.mass_kDa) == (molecule.diameter_A, molecule.mass_kDa)
    assert longest_dimension_A(*gaussians(other)) == pytest.approx(molecule.diameter_A, rel=0.01)
    assert other.weight_kDa.sum(dtype=float) == pytest.approx(molecule.mass_kDa, rel=1e-5)
    centre_A = other.weight_kDa.astype(float) @ other.centres_A / other.mass_kDa
    np.testing.assert_allclose(centre_A, 0, atol=1e-3)
    assert (other.name, other.family) == (molecule.name, molecule.family)
    assert other.how == f"{molecule.how}; varied"
    assert other.sigma_A.min() > 0


@few
@given(molecule=MOLECULES, seed=SEEDS)
def test_the_generator_decides_alone(molecule, seed):
    variant, same, other = (varied(molecule, rng(at), 0.7) for at in (seed, seed, seed + 1))
    for ours, theirs, others in zip(*map(gaussians, (variant, same, other)), strict=True):
        assert np.array_equal(ours, theirs)
        assert not np.array_equal(ours, others)


@pytest.mark.parametrize("amount", [0.3, 1.0])
def test_a_balls_axes_change_independently_and_no_more_than_is_said(amount):
    ratios = []
    for seed in range(40):
        smallest, middle, largest = sizes(varied(BALL, rng(seed), amount))
        ratios.append((middle / smallest, largest / middle))
    assert np.max(ratios) > 1 + 0.4 * amount
    assert np.max(np.prod(ratios, axis=1)) < 1.05 * np.exp(2 * amount * STRETCH)
    assert np.corrcoef(np.transpose(ratios))[0, 1] < 0.5


def test_directions_are_random():
    longest = np.array([axes(varied(BALL, rng(seed), 1.0))[1][:, 2] for seed in range(60)])
    np.testing.assert_allclose((longest**2).mean(axis=0), 1 / 3, atol=0.12)
    assert (
        np.abs(longest).max(axis=1) > 0.95
    ).mean() < 0.4  # of all directions 0.15 are so near to x, y or z


@pytest.mark.parametrize("name", ["long-rod", "disc", "antibody"])
def test_what_is_far_from_round_gets_rounder(name):
    molecule = load_molecule(name)
    usual = sizes(molecule)[2] / sizes(molecule)[0]
    others = [sizes(varied(molecule, rng(seed), 1.0)) for seed in range(40)]
    ratios = np.array([largest / smallest for smallest, _, largest in others])
    assert np.median(ratios) < 0.85 * usual
    assert ratios.max() < 1.05 * usual * np.exp(2 * STRETCH)


def test_density_moves_to_the_rim_and_to_the_middle():
    radius = np.linalg.norm(BALL.centres_A, axis=1)
    shares = []
    for seed in range(40):
        weights = varied(BALL, rng(seed), 1.0).weight_kDa
        rim, middle = (weights[chosen].mean() for chosen in (radius > 0.95 * radius.max(), radius < 15))
        shares.append(np.log(rim / middle))
    assert HOLLOW[0] < min(shares) < HOLLOW[0] / 2
    assert HOLLOW[1] / 2 < max(shares) < HOLLOW[1]


def test_more_amount_changes_more():
    molecule = load_molecule("rubisco")
    usual, *others = (
        sizes(varied(molecule, rng(3), amount)) / molecule.diameter_A for amount in (0, 0.01, 0.3, 1)
    )
    away = [np.abs(other - usual).max() for other in others]
    assert 0 < away[0] < 0.01
    assert away[0] < away[1] < away[2]
    assert away[2] > 0.02
