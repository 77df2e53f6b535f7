from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates
from scipy.spatial import KDTree

from cryopick_ray.errors import UsageError
from cryopick_ray.simulate.density import CONTRAST_V_A3_PER_KDA
from cryopick_ray.simulate.filament_kinds import FILAMENTS, KEPT_OUT
from cryopick_ray.simulate.filament_scene import Filament
from cryopick_ray.simulate.filament_stamps import add_filaments
from cryopick_ray.simulate.gaussians import gaussian_projection
from cryopick_ray.simulate.helices import BLOCK, MAX_WIDTH_A, block, helix_of, units_in
from cryopick_ray.simulate.library import list_filaments, list_molecules, load_molecule
from cryopick_ray.simulate.variety import varied

NAMES = [kind.name for kind in FILAMENTS]
WOUND = ["helix:globule:40:-70", "helix:proteasome-20s:100:60"]


def straight(molecule, widths, pixel_size_A, *, angle_deg=0.0, phase_deg=0.0, tilt_deg=0.0):
    """Draw one straight filament through the middle of a square image: image, middle, direction."""
    width_px = molecule.diameter_A / pixel_size_A
    side = 2 * int(width_px * (widths / 2 + 1.5) + 4)
    middle = np.array([side // 2, side // 2], float)
    along = np.array([np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))])
    points = middle + np.linspace(-0.5, 0.5, 200)[:, None] * widths * width_px * along
    every = np.ones(len(points), bool)
    image = np.zeros((side, side), np.float32)
    filament = Filament(0, points, every, every)
    one = np.ones(1)
    add_filaments(image, molecule, [filament], one * phase_deg, one * tilt_deg, one, pixel_size_A)
    return image, middle, along


def seen_width(profile):
    """Full width of a profile where it falls below a tenth of its maximum, in pixels."""
    there = np.flatnonzero(profile > 0.1 * profile.max())
    return there[-1] - there[0] + 1


def test_names_are_new_and_families_are_those_of_the_field():
    assert len(set(NAMES)) == len(NAMES) >= 24
    assert not set(NAMES) & {one.name for one in list_molecules()}
    assert {one.family for one in list_filaments()} == {
        *("tubes", "two-strand", "ribbons", "pili", "thin", "ropes", "coils", "decorated", "sheathed")
    }
    widths_A = [one.diameter_A for one in list_filaments()]
    assert min(widths_A) < 25
    assert max(widths_A) > 300


def test_what_is_kept_out_is_of_six_families_that_hold_others():
    kept_out = [load_molecule(name) for name in KEPT_OUT]
    assert len({one.family for one in kept_out}) == len(KEPT_OUT) == 6
    left = {one.family for one in list_filaments() if one.name not in KEPT_OUT}
    assert {one.family for one in kept_out} <= left


@pytest.mark.parametrize("name", [*NAMES, *WOUND])
def test_a_drawn_filament_is_as_wide_as_stated(name):
    molecule = load_molecule(name)
    pixel_size_A = molecule.diameter_A / 40
    sides = [
        straight(molecule, 4, pixel_size_A, phase_deg=phase)[0].sum(axis=1) for phase in range(0, 180, 30)
    ]
    assert seen_width(np.mean(sides, axis=0)) == pytest.approx(40, abs=3)


@pytest.mark.parametrize("name", ["actin", "flagellum", "amyloid-twin"])
def test_a_varied_filament_is_as_wide_as_stated_and_looks_different(name):
    molecule = load_molecule(name)
    other = varied(molecule, np.random.default_rng(3), 1.0)
    assert other.helix is not None
    assert other.diameter_A == molecule.diameter_A
    assert other.mass_kDa == pytest.approx(molecule.mass_kDa, rel=0.01)
    profiles = []
    for one in (molecule, other):
        sides = [straight(one, 4, one.diameter_A / 40, phase_deg=phase)[0] for phase in range(0, 180, 30)]
        profiles.append(np.mean(sides, axis=0).sum(axis=1))
        assert seen_width(profiles[-1]) == pytest.approx(40, abs=3)
    assert np.abs(profiles[1] - profiles[0]).max() > 0.05 * profiles[0].max()


@pytest.mark.parametrize(
    ("name", "tilt_deg"),
    [("actin-myosin", 0), ("ftsz-double", 20), ("beads", 5), ("sheath-tail", 10), (WOUND[0], 0)],
)
def test_density_along_the_axis_repeats_with_the_rise(name, tilt_deg):
    molecule = load_molecule(name)
    rise_A = molecule.helix.rise_A * np.cos(np.deg2rad(tilt_deg))
    image, middle, _ = straight(
        molecule, 16 * rise_A / molecule.diameter_A + 4, rise_A / 8, tilt_deg=tilt_deg
    )
    start = int(middle[0]) - 64
    along = image.sum(axis=0, dtype=np.float64)[start : start + 128]
    layers = np.abs(np.fft.rfft(along - along.mean()))
    assert layers.argmax() == 16  # the rise is a sixteenth of the stretch
    between = np.delete(layers, np.arange(16, len(layers), 16))
    assert between.max() < 0.2 * layers[16]


def exact(molecule, units, frame, phase_deg, pixel_size_A, side):
    """Project a straight row of units by formula."""
    turn = np.deg2rad(phase_deg)
    about = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    row = block(molecule, units)
    sigma_A = np.maximum(row.sigma_A, np.float32(pixel_size_A / 2))
    weight = row.weight_kDa * np.float32(CONTRAST_V_A3_PER_KDA)
    centres_A = (row.centres_A @ about.T @ frame.T).astype(np.float32)
    return gaussian_projection(centres_A, sigma_A, weight, pixel_size_A, side)


@pytest.mark.parametrize("name", ["actin", "reca-like", "amyloid-wide", "beads", "dna"])
@pytest.mark.parametrize(("angle_deg", "tilt_deg"), [(0, 0), (33, 8), (-120, -5)])
def test_a_drawn_filament_is_its_units_wound_about_the_axis(name, angle_deg, tilt_deg):
    molecule, phase_deg = load_molecule(name), 40.0
    pixel_size_A = molecule.diameter_A / 24
    image, _, along = straight(
        molecule, 5, pixel_size_A, angle_deg=angle_deg, phase_deg=phase_deg, tilt_deg=tilt_deg
    )
    of_a_block, helix = units_in(molecule, BLOCK), molecule.helix
    tilt = np.deg2rad(tilt_deg)
    blocks = round(5 * molecule.diameter_A / (of_a_block * helix.rise_A * np.cos(tilt)))
    axis = np.array([*(np.cos(tilt) * along), np.sin(tilt)])
    level = np.array([along[1], -along[0], 0])
    frame = np.stack([np.cross(level, axis), level, axis], axis=1)
    first_to_middle_deg = (blocks - 1) / 2 * of_a_block * helix.twist_deg

    def off(phase_deg, twist_sign=1):
        wound = replace(molecule, helix=replace(helix, twist_deg=twist_sign * helix.twist_deg))
        phase_deg += twist_sign * first_to_middle_deg
        wanted = exact(wound, blocks * of_a_block, frame, phase_deg, pixel_size_A, len(image))
        return np.abs(image - wanted).max() / wanted.max()

    assert off(phase_deg) < 0.06
    if name != "dna":  # too fine to tell
        assert off(phase_deg + 60) > 0.1
        assert off(phase_deg, twist_sign=-1) > 0.1


def test_a_filament_bends_without_seams():
    molecule = load_molecule("bar-tubule")
    pixel_size_A, radius = molecule.diameter_A / 30, 4 * 30
    angle = np.linspace(0, np.pi / 2, 400)
    points = 20 + radius * np.column_stack([np.cos(angle), np.sin(angle)])
    every, one = np.ones(len(points), bool), np.ones(1)
    image = np.zeros((180, 180), np.float32)
    add_filaments(image, molecule, [Filament(0, points, every, every)], one, 0 * one, one, pixel_size_A)
    inner = angle[80:-80]
    around = [
        map_coordinates(image, 20 + r * np.stack([np.sin(inner), np.cos(inner)]), order=1).mean()
        for r in range(radius - 30, radius + 31)
    ]
    middle = np.average(np.arange(radius - 30, radius + 31), weights=around)
    assert middle == pytest.approx(radius, abs=1.5)
    sums = [
        map_coordinates(image, 20 + np.outer([np.sin(a), np.cos(a)], np.arange(90, 151)), order=1).sum()
        for a in inner
    ]
    assert np.std(sums) < 0.06 * np.mean(sums)


@given(rise=st.floats(3, 60), twist=st.floats(-180, 180))
@settings(max_examples=40, deadline=None)
def test_molecules_in_a_helix_leave_room_to_each_other_or_are_refused(rise, twist):
    molecule = load_molecule("globule")
    try:
        wound = helix_of("helix:globule", molecule, rise, twist)
    except UsageError:
        return
    helix = wound.helix
    assert (helix.rise_A, helix.twist_deg, helix.single) == (rise, twist, molecule)
    at = np.average(wound.centres_A[:, :2], axis=0, weights=wound.weight_kDa)
    turn = np.deg2rad(twist) * np.arange(40)
    x, y = np.hypot(*at) * np.stack([np.cos(turn), np.sin(turn)])
    places = np.column_stack([x, y, rise * np.arange(40)])
    assert KDTree(places).query(places, k=2)[0][:, 1].min() > 0.9 * 2 * 21  # its shortest axis
    assert wound.diameter_A <= MAX_WIDTH_A + molecule.diameter_A


def test_a_helix_of_a_molecule_is_asked_for_by_name(tmp_path):
    wound = load_molecule("Helix:GLOBULE:40:-27.5")
    assert wound.name == "helix-globule-40--27.5"
    assert (wound.helix.rise_A, wound.helix.twist_deg) == (40, -27.5)
    assert wound.helix.single is load_molecule("globule")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("helix:globule", "helix:MOLECULE:RISE:TWIST"),
        ("helix:globule:55", "helix:MOLECULE:RISE:TWIST"),
        ("helix:globule:far:3", "helix:MOLECULE:RISE:TWIST"),
        ("helix:globule:0:3", "a rise above 0 and at most the molecule's diameter, 60"),
        ("helix:globule:nan:3", "a rise above 0"),
        ("helix:globule:500:3", "a rise above 0 and at most the molecule's diameter, 60"),
        ("helix:globule:40:181", "a twist from -180 to 180"),
        ("helix:globule:40:nan", "a twist from -180 to 180"),
        ("helix:globule:1:0", "a twist with more room"),
        ("helix:globule:0.01:7", "a twist with more room"),
        ("helix:actin:20:3", "expected a particle"),
        ("helix:helix:globule:40:3:20:3", "expected a particle"),
        ("helix:unobtainium:40:3", "no molecule 'unobtainium'"),
    ],
)
def test_what_cannot_be_wound_is_refused_with_what_is_expected(asked, expected):
    with pytest.raises(UsageError, match=expected) as caught:
        load_molecule(asked)
    assert "`molecules`" in str(caught.value)
