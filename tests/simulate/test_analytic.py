import json
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
from scipy.spatial.transform import Rotation

from cryopick_ray.simulate import library
from cryopick_ray.simulate.analytic import COMPOSITIONS
from cryopick_ray.simulate.density import density
from cryopick_ray.simulate.filling import Composition, SolidPart, fill
from cryopick_ray.simulate.gaussians import CONTOUR, gaussian_field, gaussian_projection, sphere_points
from cryopick_ray.simulate.library import list_molecules, load_molecule
from cryopick_ray.simulate.projection import preferred_rotations
from cryopick_ray.simulate.shapes import ellipsoid, helix, icosahedral, tube

NAMES = [composition.name for composition in COMPOSITIONS]
LONG = ["dumbbell-3", "superhelix-4", "bent-rod-5", "knobbed-rod-6"]
BOX = 66


def field(molecule, turn=None):
    """Return a molecule's density in units of its contour's mean, and the voxel in angstroms."""
    voxel_A = molecule.diameter_A / (BOX - 12)
    centres_A = molecule.centres_A if turn is None else (molecule.centres_A @ turn.T).astype("f4")
    values = gaussian_field(
        centres_A, np.maximum(molecule.sigma_A, voxel_A), molecule.weight_kDa, voxel_A, BOX
    )
    return values / (np.vdot(values, values) / values.sum()), voxel_A


def at(molecule, *places_A):
    """Return the density at places counted from the centre of mass."""
    values, voxel_A = field(molecule)
    voxels = np.concatenate([np.atleast_2d(place) for place in places_A])[:, ::-1] / voxel_A + BOX // 2
    return scipy.ndimage.map_coordinates(values, voxels.T, order=1)


def circle(radius_A, z_A=0.0):
    return np.add(helix(radius_A, 0, 1), (0, 0, z_A))


def widths_A(molecule):
    """Return the extents of the contour in many directions."""
    values, voxel_A = field(molecule)
    inside = np.argwhere(values > CONTOUR) * voxel_A
    return np.ptp(inside @ sphere_points(400).T, axis=0)


def likeness(molecule, axis, turn_deg):
    turned = Rotation.from_rotvec(np.asarray(axis) / np.linalg.norm(axis) * turn_deg, degrees=True)
    return np.corrcoef(field(molecule)[0].ravel(), field(molecule, turned.as_matrix())[0].ravel())[0, 1]


def test_molecules_that_models_were_taught_with_stay_as_they_were():
    known = json.loads((Path(__file__).parent / "known_molecules.json").read_text())
    assert len(known) == 30
    for name, (mass_kDa, diameter_A, family, how, moments) in known.items():
        molecule = load_molecule(name)
        assert (molecule.mass_kDa, molecule.diameter_A) == (mass_kDa, diameter_A)
        assert (molecule.family, molecule.how) == (family, how)
        np.testing.assert_allclose(fingerprint(molecule), moments, rtol=1e-7, atol=1e-6)


def fingerprint(molecule):
    """Return three sums that change if any Gaussian is moved, widened, weighed anew or put elsewhere."""
    order = np.arange(1, 1 + len(molecule.sigma_A)) ** 0.5
    x, y, z = molecule.centres_A.astype(float).T
    return [
        float(np.sum(order * molecule.weight_kDa.astype(float))),
        float(np.sum(order * molecule.sigma_A.astype(float))),
        float(np.sum(order * (np.abs(x) + 2 * np.abs(y + 0.1) + 3 * np.abs(z + 0.2)))),
    ]


def test_asked_for_one_no_other_is_made():
    library._built_in.cache_clear()
    assert load_molecule("ferritin") is load_molecule("6PXM")
    assert library._built_in.cache_info().currsize == 1


@pytest.mark.parametrize("name", NAMES)
def test_each_is_one_piece_as_long_as_it_says(name):
    molecule = load_molecule(name)
    values, _ = field(molecule)
    pieces, count = scipy.ndimage.label(values > CONTOUR / 2)
    masses = scipy.ndimage.sum_labels(values, pieces, np.arange(1, count + 1))
    assert masses.max() > 0.98 * masses.sum()
    assert widths_A(molecule).max() == pytest.approx(molecule.diameter_A, rel=0.05)


@pytest.mark.parametrize(
    ("names", "least_kDa", "most_kDa"),
    [
        (["bilobed", "spindle", "clamp", "leaf", "tetramer", "v-dimer"], 50, 200),
        (["micelle-transporter", "micelle-trimer", "micelle-channel"], 150, 500),
        (["nanodisc-receptor", "nanodisc-channel", "nanodisc-exporter"], 150, 500),
        (["nucleosome-like", "cas9-like", "polymerase-like"], 150, 500),
        (["double-ring"], 700, 1100),
    ],
)
def test_masses_are_of_their_kind(names, least_kDa, most_kDa):
    assert all(least_kDa < load_molecule(name).mass_kDa < most_kDa for name in names)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("capsid-")])
def test_capsids_are_as_large_as_their_names_say(name):
    assert load_molecule(name).diameter_A == pytest.approx(int(name.split("-")[1]), rel=0.03)


@pytest.mark.parametrize("name", LONG)
def test_long_ones_have_the_aspect_of_their_names(name):
    widths = widths_A(load_molecule(name))
    assert widths.max() / widths.min() == pytest.approx(int(name.split("-")[-1]), rel=0.12)


def test_the_leaf_is_flat():
    sizes = np.sqrt(np.linalg.eigvalsh(np.cov(load_molecule("leaf").centres_A.T)))
    assert sizes[1] > 2 * sizes[0]
    assert sizes[2] < 1.8 * sizes[1]


@pytest.mark.parametrize("name", LONG)
def test_preferred_views_show_long_ones_from_the_top_and_from_the_side(name):
    molecule = load_molecule(name)
    longest = np.linalg.eigh(np.cov(molecule.centres_A.T))[1]

    def length_A(axis):
        rotations = preferred_rotations(np.random.default_rng(0), 20, axis, 5.0)
        px_A, lengths = molecule.diameter_A / 60, []
        for rotation in rotations:
            turned = (molecule.centres_A @ rotation.T).astype("f4")
            seen = gaussian_projection(
                turned, np.maximum(molecule.sigma_A, px_A), molecule.weight_kDa, px_A, 80
            )
            inside = np.argwhere(seen > 0.1 * seen.max()) * px_A
            angles = np.linspace(0, np.pi, 30)
            lengths.append(np.ptp(inside @ [np.cos(angles), np.sin(angles)], axis=0).max())
        return np.median(lengths)

    assert length_A(longest[:, 2]) < 0.55 * molecule.diameter_A
    for side in (longest[:, 0], longest[:, 1]):
        assert length_A(side) == pytest.approx(molecule.diameter_A, rel=0.1)


@pytest.mark.parametrize(
    ("name", "axis", "fold"),
    [
        ("clamp", (0, 0, 1), 3),
        ("tetramer", (0, 0, 1), 2),
        ("tetramer", (1, 0, 0), 2),
        ("v-dimer", (0, 0, 1), 2),
        ("micelle-trimer", (0, 0, 1), 3),
        ("nanodisc-channel", (0, 0, 1), 4),
        ("propeller", (0, 0, 1), 4),
        ("tripod", (0, 0, 1), 3),
        ("double-ring", (0, 0, 1), 7),
        ("double-ring", (1, 0, 0), 2),
        ("capsid-600-empty", (0, 0, 1), 2),
        ("capsid-600-empty", icosahedral(1)[0], 5),
    ],
)
def test_symmetric_ones_look_alike_about_their_axes(name, axis, fold):
    molecule = load_molecule(name)
    assert likeness(molecule, axis, 360 / fold) > 0.93
    assert likeness(molecule, axis, 360 / fold) > likeness(molecule, axis, 180 / fold) + 0.01


@pytest.mark.parametrize(
    ("name", "hole_A", "wall_A"),
    [
        ("clamp", (0, 0, 0), circle(30)),
        ("superhelix-4", [(0, 0, z) for z in range(-60, 61, 10)], helix(26, 66, 3)),
        ("double-ring", [(0, 0, z) for z in range(-60, 61, 10)], circle(45, 20)),
        ("triple-ring", (0, 0, 0), circle(40)),
        ("ring-pair", [(-62, 0, 0), (62, 0, 0)], [(-62, 42, 0), (62, 42, 0)]),
        ("capsid-600-empty", [(0, 0, 0), (100, 50, 100)], 262 * icosahedral(1)),
    ],
)
def test_hollow_ones_are_hollow(name, hole_A, wall_A):
    molecule = load_molecule(name)
    assert at(molecule, hole_A).max() < 0.25
    assert at(molecule, wall_A).mean() > 0.6


@pytest.mark.parametrize(
    ("name", "path_A"), [("c-shape", helix(66, 0, 0.72)), ("lock-washer", helix(54, 54, 0.7))]
)
def test_open_rings_are_open_on_one_side(name, path_A):
    values, voxel_A = field(load_molecule(name))
    seen = values.max(axis=0)
    around = circle(np.hypot(*path_A[0, :2])) - path_A.mean(axis=0)
    columns = scipy.ndimage.map_coordinates(seen, (around[:, 1::-1] / voxel_A + BOX // 2).T, order=1)
    middle = len(columns) // 2  # a circle begins and ends opposite to the middle of the path
    gap = columns < CONTOUR / 2
    assert gap[[0, 1, -1]].all()
    assert not gap[middle // 2 : -middle // 2].any()


def test_a_full_capsid_is_full_and_less_dense_inside():
    full, empty = load_molecule("capsid-700"), load_molecule("capsid-600-empty")
    wall = at(full, 310 * icosahedral(1)).mean()
    assert 0.3 * wall < at(full, (0, 0, 0), (100, 0, 50), (0, 120, 90)).mean() < 0.75 * wall
    assert at(empty, (0, 0, 0))[0] < 0.05


def test_nucleic_acid_is_denser_than_protein():
    molecule = load_molecule("nucleosome-like")
    assert at(molecule, helix(42, 26, 1.5)).mean() > 1.15 * at(molecule, circle(15, 4), circle(15, -4)).mean()
    for name in ("cas9-like", "polymerase-like", "nucleosome-like"):
        heavy = np.quantile(load_molecule(name).weight_kDa, 0.995) / np.median(load_molecule(name).weight_kDa)
        assert 1.6 < heavy < 2.4  # a protein alone would have 1.5 at most


@pytest.mark.parametrize("name", ["micelle-transporter", "micelle-trimer", "micelle-channel"])
def test_a_belt_of_detergent_is_less_dense_than_the_protein_in_it(name):
    molecule = load_molecule(name)
    middle_A = membrane_A(molecule)
    belt = at(molecule, circle(38, middle_A)).mean()
    across = at(molecule, *(circle(radius_A, middle_A) for radius_A in (8, 16, 20)))
    assert 0.2 < belt < 0.7 * across.max()
    beyond = at(molecule, circle(38, middle_A + 45), circle(38, middle_A - 45))
    assert beyond.min() < 0.5 * belt


@pytest.mark.parametrize(
    ("name", "width_A"), [("nanodisc-receptor", 100), ("nanodisc-exporter", 112), ("nanodisc-channel", 120)]
)
def test_a_nanodisc_has_heads_tails_and_heads_within_a_scaffold(name, width_A):
    molecule = load_molecule(name)
    middle_A = membrane_A(molecule)
    lipid_A = width_A / 2 - 14
    upper, tails, lower = (at(molecule, circle(lipid_A, middle_A + z)).mean() for z in (17.5, 0, -17.5))
    assert tails < 0.65 * min(upper, lower)
    scaffold = at(molecule, circle(width_A / 2 - 5, middle_A)).mean()
    assert scaffold > 1.2 * tails
    assert at(molecule, circle(width_A / 2 + 12, middle_A)).max() < 0.2
    assert at(molecule, circle(lipid_A, middle_A + 34), circle(lipid_A, middle_A - 34)).min() < 0.2


def membrane_A(molecule):
    """Return the height of the membrane's middle: where the molecule is widest."""
    z = molecule.centres_A[:, 2]
    outer = np.hypot(*molecule.centres_A[:, :2].T) > 0.9 * np.hypot(*molecule.centres_A[:, :2].T).max()
    return float(np.median(z[outer]))


def test_the_last_part_owns_what_several_claim():
    ball, core = ellipsoid(30, 30, 30), ellipsoid(20, 20, 20)
    molecule = fill(
        Composition("m", "test", (30, 30, 30), (SolidPart(ball), SolidPart(core, 2.0, coarseness=1.5)), 3000)
    )
    inner = 4 / 3 * np.pi * 20**3
    outer = 4 / 3 * np.pi * 30**3 - inner
    assert molecule.mass_kDa == pytest.approx((outer + 2 * inner) / 1210, rel=0.02)
    radius_A = np.linalg.norm(molecule.centres_A, axis=1)
    coarse = molecule.sigma_A > 1.2 * molecule.sigma_A.min()
    assert radius_A[coarse].max() < 21
    assert radius_A[~coarse].min() > 19
    assert molecule.weight_kDa[coarse].sum() / molecule.mass_kDa == pytest.approx(
        2 * inner / (outer + 2 * inner), rel=0.05
    )
    volume = density(molecule, 3.0, 40)
    assert volume[20, 20, 20] == pytest.approx(2 * 3.47, rel=0.25)


def test_one_density_states_its_mass_and_several_say_what_they_are():
    assert (
        "1.21 A^3 per dalton" in fill(Composition("m", "t", (9, 9, 9), (SolidPart(tube(0, 9, 18)),), 200)).how
    )
    assert "densities 0.5, 0.85, 1 of protein's" in load_molecule("micelle-trimer").how


KEPT_OUT = [
    *("bilobed", "v-dimer", "micelle-channel", "nanodisc-exporter", "cas9-like"),
    *("capsid-700", "knobbed-rod-6", "lock-washer", "double-ring", "propeller"),
]


@pytest.mark.parametrize("name", KEPT_OUT)
def test_a_molecule_of_each_kind_is_alone_in_its_family_and_can_be_kept_out(name):
    family = load_molecule(name).family
    assert [molecule.name for molecule in list_molecules() if molecule.family == family] == [name]
