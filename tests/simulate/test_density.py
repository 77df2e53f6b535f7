import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopick_ray.errors import UsageError
from cryopick_ray.simulate.density import CONTRAST_V_A3_PER_KDA, box_for, density, reshaped
from cryopick_ray.simulate.molecule import Molecule, make_molecule


def lump(seed: int = 0, mass_kDa: float = 100.0) -> Molecule:
    rng = np.random.default_rng(seed)
    return make_molecule(
        "lump",
        rng.normal(size=(30, 3)) * (10, 15, 20) + 7,
        rng.uniform(3, 6, 30),
        rng.uniform(1, 3, 30),
        family="test",
        mass_kDa=mass_kDa,
        how="drawn",
    )


def centre_of_mass(volume: np.ndarray) -> np.ndarray:
    return np.array([(i * volume).sum() for i in np.indices(volume.shape)]) / volume.sum()


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.floats(1.5, 5), st.floats(1, 5000))
def test_mass_and_centre_do_not_depend_on_the_voxel(seed, voxel_A, mass_kDa):
    molecule = lump(seed, mass_kDa)
    box = box_for(molecule, voxel_A) + 8
    volume = density(molecule, voxel_A, box)
    assert volume.dtype == np.float32
    assert volume.shape == (box, box, box)
    integral = volume.sum(dtype=np.float64) * voxel_A**3
    assert integral == pytest.approx(mass_kDa * CONTRAST_V_A3_PER_KDA, rel=0.01)
    np.testing.assert_allclose(centre_of_mass(volume), box // 2, atol=0.05)


def test_a_voxel_holds_what_the_formula_says():
    molecule = lump()
    volume = density(molecule, 2.0, 64)
    for z, y, x in ((32, 32, 32), (20, 40, 30), (45, 28, 33)):
        place_A = (np.array([x, y, z]) - 32) * 2.0
        squared = ((molecule.centres_A - place_A) ** 2).sum(axis=1)
        each = np.exp(-squared / (2 * molecule.sigma_A**2)) / (2 * np.pi * molecule.sigma_A**2) ** 1.5
        exact = CONTRAST_V_A3_PER_KDA * (molecule.weight_kDa * each).sum()
        assert volume[z, y, x] == pytest.approx(exact, rel=1e-4)


def test_protein_is_a_few_volts_above_ice():
    solid = make_molecule(
        "solid",
        np.stack(np.meshgrid(*[np.arange(-5, 6) * 8.0] * 3), axis=-1).reshape(-1, 3),
        5.0,
        np.ones(11**3),
        family="test",
        mass_kDa=88.0**3 / 1210,
        how="a full cube",
    )
    assert density(solid, 2.0, 64)[32, 32, 32] == pytest.approx(3.5, rel=0.05)


def test_the_box_holds_the_molecule_in_every_orientation():
    molecule = lump()
    box = box_for(molecule, 2.0)
    assert box % 2 == 0
    volume = density(molecule, 2.0, box)
    radius = np.sqrt(sum((i - box // 2) ** 2 for i in np.indices(volume.shape)))
    assert volume[radius > box // 2 - 1].sum() < 0.002 * volume.sum()


def test_a_coarse_grid_keeps_the_mass_of_a_narrow_gaussian():
    point = make_molecule("point", np.zeros((1, 3)), 0.5, [1.0], family="test", mass_kDa=1.0, how="")
    integral = density(point, 8.0, 16).sum() * 8.0**3
    assert integral == pytest.approx(CONTRAST_V_A3_PER_KDA, rel=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_reshaping_changes_the_shape_and_never_adds_mass(seed):
    molecule = lump()
    changed = reshaped(molecule, np.random.default_rng(seed))
    again = reshaped(molecule, np.random.default_rng(seed))
    np.testing.assert_array_equal(changed.centres_A, again.centres_A)
    np.testing.assert_array_equal(changed.weight_kDa, again.weight_kDa)
    assert 0 < changed.mass_kDa <= molecule.mass_kDa
    assert changed.weight_kDa.sum() == pytest.approx(changed.mass_kDa, rel=1e-4)
    before, after = (np.linalg.svd(m.centres_A - m.centres_A.mean(axis=0))[1] for m in (molecule, changed))
    assert (after <= before * 1.0001).all()
    assert not np.allclose(after, before, rtol=1e-3)
    np.testing.assert_allclose(changed.weight_kDa @ changed.centres_A, 0, atol=1e-2)


@pytest.mark.parametrize(
    ("voxel_A", "box"), [(0.0, 32), (-1.0, 32), (float("nan"), 32), (2.0, 33), (2.0, 0), (2.0, 10**6)]
)
def test_an_impossible_grid_is_refused(voxel_A, box):
    with pytest.raises(UsageError, match=r"`pixel_size_A`"):
        density(lump(), voxel_A, box)
