import re
import struct
import warnings

import gemmi
import mrcfile
import numpy as np
import pytest

from cryopick_ray.errors import UsageError
from cryopick_ray.simulate.density import CONTRAST_V_A3_PER_KDA, box_for, density
from cryopick_ray.simulate.gaussians import gaussian_field
from cryopick_ray.simulate.library import (
    family_by_molecule,
    list_molecules,
    load_molecule,
    molecule_name,
    own_name,
)
from cryopick_ray.simulate.molecule import make_molecule

NAMES = sorted(family_by_molecule())


def write_map(path, values, voxel_A=3.0):
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(values.astype(np.float32))
        file.voxel_size = voxel_A
    return path


def blob(side=40, voxel_A=3.0):
    """A lopsided thing of about 60 A in a map."""
    centres = np.array([[0, 0, 0], [20, 5, -10], [-15, 12, 8]], "f4")
    return gaussian_field(centres, np.array([8, 6, 7], "f4"), np.array([3, 1, 2], "f4"), voxel_A, side)


def test_a_density_that_is_mostly_below_nothing_has_no_outline():
    places = np.array([[0, 0, 0], [0, 0, 1]], "f4")
    with pytest.raises(UsageError, match="no outline"):
        make_molecule("m", places, np.array([1, 40]), np.array([1.1, -1.0]), family="map", mass_kDa=9, how="")


def test_the_library_is_large_and_varied():
    molecules = list_molecules()
    assert len(molecules) >= 60
    assert len({molecule.family for molecule in molecules}) >= 36
    masses = [molecule.mass_kDa for molecule in molecules]
    diameters = [molecule.diameter_A for molecule in molecules]
    assert min(masses) <= 50
    assert max(masses) >= 50_000
    assert min(diameters) <= 66
    assert max(diameters) >= 680
    assert masses == sorted(masses)


def test_names_are_unique():
    keys = [key for molecule in list_molecules() for key in (molecule.name, *molecule.aliases)]
    assert len(keys) == len(set(keys))
    assert keys == [key.lower() for key in keys]


def test_names_and_families_are_known_before_a_molecule_is_made():
    molecules = list_molecules()
    assert {molecule.name: molecule.family for molecule in molecules} == family_by_molecule()
    for molecule in molecules:
        for key in (molecule.name, *molecule.aliases):
            assert own_name(key) == molecule_name(key.upper()) == load_molecule(key).name == molecule.name
    assert molecule_name("bar-tubule") == load_molecule("bar-tubule").name
    with pytest.raises(UsageError, match="no molecule"):
        molecule_name("no-such")


@pytest.mark.parametrize("name", NAMES)
def test_each_molecule_is_what_it_says(name):
    molecule = load_molecule(name)
    k = len(molecule.sigma_A)
    assert molecule.centres_A.shape == (k, 3)
    assert molecule.sigma_A.min() > 0
    assert molecule.weight_kDa.min() >= 0
    assert molecule.weight_kDa.sum() == pytest.approx(molecule.mass_kDa, rel=1e-3)
    np.testing.assert_allclose(molecule.weight_kDa @ molecule.centres_A / molecule.mass_kDa, 0, atol=0.01)
    farthest_A = 2 * np.linalg.norm(molecule.centres_A, axis=1).max()
    assert molecule.diameter_A < farthest_A + 4 * molecule.sigma_A.max()
    voxel_A = max(5.0, molecule.diameter_A / 64)
    volume = density(molecule, voxel_A, box_for(molecule, voxel_A))
    # Protein and nucleic acid fill space to about 3.5 V above ice; a coarse model stays below twice that.
    assert 0.8 < np.vdot(volume, volume) / volume.sum() < 7
    assert not molecule.centres_A.flags.writeable


@pytest.mark.parametrize("name", NAMES)
def test_each_fit_states_its_quality(name):
    molecule = load_molecule(name)
    if not molecule.pdb:
        assert molecule.how.startswith("analytic")
        return
    assert re.fullmatch(r"[0-9][a-z0-9]{3}", molecule.pdb)
    correlation, coarse, fine = (
        float(x) for x in re.findall(r"(?:correlation|fsc_\d+A) ([\d.]+)", molecule.how)
    )
    assert correlation > 0.99
    assert coarse > 0.99
    assert fine > 0.7  # 800 Gaussians are few for a capsid


@pytest.mark.parametrize(
    ("name", "diameter_A", "mass_kDa"),
    # Outer diameters from the literature, masses of the whole particles.
    [("apoferritin", 125, 480), ("betagal", 185, 465), ("ribosome", 265, 2200), ("proteasome", 178, 690)],
)
def test_known_sizes(name, diameter_A, mass_kDa):
    molecule = load_molecule(name)
    assert molecule.diameter_A == pytest.approx(diameter_A, rel=0.07)
    assert molecule.mass_kDa == pytest.approx(mass_kDa, rel=0.1)


def test_apoferritin_is_hollow():
    volume = density(load_molecule("apoferritin"), 4.0, 48)
    radius_A = 4 * np.sqrt(sum((i - 24) ** 2 for i in np.indices(volume.shape)))
    assert volume[radius_A < 25].mean() < 0.1 * volume[np.abs(radius_A - 52) < 6].mean()


@pytest.mark.parametrize("asked", ["apoferritin", "Apoferritin", "6pxm", "6PXM", "ferritin"])
def test_a_molecule_answers_to_its_names(asked):
    assert load_molecule(asked).name == "apoferritin"


def test_parts_of_an_entry_are_told_apart():
    assert load_molecule("4v4r").name == "ribosome-70s"
    assert load_molecule("4V4R_30S").name == "ribosome-30s"


def test_the_fits_look_like_their_maps(real_data):
    for pdb in ("6pxm", "1f4a"):
        molecule = load_molecule(pdb)
        with mrcfile.open(real_data / "maps" / f"{pdb}.mrc") as file:
            values = np.asarray(file.data, np.float64)
        mass_centre = np.array([(i * values).sum() for i in np.indices(values.shape)]) / values.sum()
        box = values.shape[0] + values.shape[0] % 2
        shift = (np.full(3, box // 2) - mass_centre)[::-1] * 10.0
        seen_A = np.sqrt(molecule.sigma_A**2 + 5.3**2).astype("f4")  # the low-pass of the maps
        model = gaussian_field(
            (molecule.centres_A - shift).astype("f4"), seen_A, molecule.weight_kDa, 10.0, box
        )
        side = values.shape[0]
        assert np.corrcoef(model[:side, :side, :side].ravel(), values.ravel())[0, 1] > 0.99


def test_a_map_becomes_itself(tmp_path):
    values = blob()
    molecule = load_molecule(write_map(tmp_path / "blob.mrc", 40 * values + 3))  # any scale and background
    assert (molecule.name, molecule.family) == ("blob", "map")
    expected = gaussian_field(  # the map is not centred on its mass; the molecule is
        np.array([[0, 0, 0], [20, 5, -10], [-15, 12, 8]], "f4") - np.array([-5 / 3, 29 / 6, 1], "f4"),
        np.array([8, 6, 7], "f4"),
        np.array([3, 1, 2], "f4"),
        3.0,
        40,
    )
    again = density(molecule, 3.0, 40)
    assert np.corrcoef(again.ravel(), expected.ravel())[0, 1] > 0.995
    assert molecule.mass_kDa == pytest.approx(molecule.weight_kDa.sum(), rel=1e-4)


def test_a_fine_map_is_binned(tmp_path):
    values = blob(120, 1.0)
    coarse = load_molecule(write_map(tmp_path / "coarse.mrc", blob(), 3.0))
    fine = load_molecule(write_map(tmp_path / "fine.map", values, 1.0))
    assert len(fine.sigma_A) < 20_000
    assert fine.diameter_A == pytest.approx(coarse.diameter_A, rel=0.05)
    assert fine.mass_kDa == pytest.approx(coarse.mass_kDa, rel=0.1)


def test_axes_of_a_map_are_put_in_order(tmp_path):
    values = blob()
    path = write_map(tmp_path / "swapped.mrc", values.transpose(2, 1, 0))
    with mrcfile.open(path, "r+") as file:
        file.header.mapc, file.header.maps = 3, 1
    straight = load_molecule(write_map(tmp_path / "straight.mrc", values))
    swapped = load_molecule(path)
    np.testing.assert_allclose(swapped.centres_A, straight.centres_A, atol=1e-3)


def test_bad_maps_are_refused(tmp_path):
    path = tmp_path / "bad.mrc"
    good = blob()

    def refused(match):
        with pytest.raises(UsageError, match=match):
            load_molecule(path)

    for voxel_A in (0.0, 1e-9, 1e9):
        write_map(path, good, voxel_A)
        refused("voxel_size")
    write_map(path, np.full((8, 8, 8), 2.0))
    refused("no molecule in it")
    with warnings.catch_warnings(action="ignore"):  # mrcfile says that it writes a NaN
        write_map(path, np.where(good > 0.5 * good.max(), np.nan, good))
    refused("no molecule in it")
    write_map(path, np.ones((1, 8, 8)))
    refused("expected a volume")
    write_map(path, good)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    refused("cannot be read")
    path.write_bytes(struct.pack("<3i", 100_000, 100_000, 100_000) + whole[12:])
    refused("100000 x 100000 x 100000")
    path.write_bytes(b"not a map")
    refused("cannot be read")
    path.unlink()
    refused("cannot be read")


def structure(places, *, element="C"):
    model = gemmi.Model(1)
    residue = gemmi.Residue()
    residue.name, residue.seqid = "ALA", gemmi.SeqId("1")
    for place in places:
        atom = gemmi.Atom()
        atom.name, atom.element, atom.pos, atom.occ = (
            element,
            gemmi.Element(element),
            gemmi.Position(*place),
            1,
        )
        residue.add_atom(atom)
    chain = gemmi.Chain("A")
    chain.add_residue(residue)
    model.add_chain(chain)
    built = gemmi.Structure()
    built.add_model(model)
    return built


@pytest.mark.parametrize("suffix", [".pdb", ".cif"])
def test_coordinates_become_a_molecule_where_their_atoms_are(tmp_path, suffix):
    places = np.random.default_rng(0).normal(size=(900, 3)) * (8, 12, 20) + 50
    built = structure(places)
    path = tmp_path / f"Protein{suffix}"
    if suffix == ".pdb":
        built.write_pdb(str(path))
    else:
        built.make_mmcif_document().write_file(str(path))
    molecule = load_molecule(path)
    assert molecule.mass_kDa == pytest.approx(1.07 * 900 * 12.011 / 1000, rel=1e-3)
    centred = places - places.mean(axis=0)
    second = np.einsum("k,ki,ki->i", molecule.weight_kDa, molecule.centres_A, molecule.centres_A)
    second = (second + (molecule.weight_kDa * molecule.sigma_A**2).sum()) / molecule.mass_kDa
    np.testing.assert_allclose(second, centred.var(axis=0) + 1, rtol=0.02, atol=0.5)
    integral = density(molecule, 2.0, box_for(molecule, 2.0)).sum() * 8
    assert integral == pytest.approx(molecule.mass_kDa * CONTRAST_V_A3_PER_KDA, rel=0.02)


def test_hydrogens_do_not_count(tmp_path):
    path = tmp_path / "h.pdb"
    structure(np.eye(3), element="H").write_pdb(str(path))
    with pytest.raises(UsageError, match="no atoms"):
        load_molecule(path)


@pytest.mark.parametrize("text", ["", "data_x\nloop_\n_atom_site.id\n1 2 'open", "ATOM  garbage"])
@pytest.mark.parametrize("suffix", [".pdb", ".cif"])
def test_bad_coordinates_are_refused(tmp_path, text, suffix):
    path = tmp_path / f"bad{suffix}"
    path.write_text(text)
    with pytest.raises(UsageError, match="coordinates"):
        load_molecule(path)


def test_an_unknown_molecule_is_told_what_there_is():
    with pytest.raises(UsageError, match=r"'unobtainium'.*apoferritin.*ribosome-70s.*\.mrc.*`molecules`"):
        load_molecule("unobtainium")


@pytest.mark.parametrize(
    ("centres", "sigma", "weight", "mass_kDa", "match"),
    [
        (np.zeros((0, 3)), 1.0, [], 1.0, "at least one"),
        (np.zeros((1, 3)), 0.0, [1.0], 1.0, "widths"),
        (np.zeros((1, 3)), 1.0, [0.0], 1.0, "density"),
        (np.zeros((1, 3)), 1.0, [1.0], -5.0, "-5 kDa"),
        (np.full((1, 3), np.nan), 1.0, [1.0], 1.0, "finite"),
        (np.array([[-9e4, 0, 0], [9e4, 0, 0]]), 1.0, [1.0, 1.0], 1.0, "reaches"),
    ],
)
def test_an_impossible_molecule_is_refused(centres, sigma, weight, mass_kDa, match):
    with pytest.raises(UsageError, match=match):
        make_molecule("bad", centres, sigma, weight, family="test", mass_kDa=mass_kDa, how="")
