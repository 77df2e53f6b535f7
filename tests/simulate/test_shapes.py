import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.simulate.shapes import (
    balls,
    common,
    cyclic,
    dihedral,
    domains,
    ellipsoid,
    faceted_radius,
    helix,
    icosahedral,
    icosahedron,
    line,
    minus,
    moved,
    shell,
    slab,
    tube,
    uneven,
    union,
)

POINTS = np.random.default_rng(0).uniform(-50, 50, (60_000, 3))
BOX_A3 = 100.0**3
BALL, BAR = ellipsoid(30, 30, 30), ellipsoid(45, 12, 9)


def volume_A3(solid):
    return solid(POINTS).mean() * BOX_A3


def turned_about_z(points, angle):
    x, y, z = points.T
    return np.stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle), z], axis=1)


@pytest.mark.parametrize(
    ("solid", "expected_A3"),
    [
        (ellipsoid(40, 30, 20), 4 / 3 * np.pi * 40 * 30 * 20),
        (shell(20, 40), 4 / 3 * np.pi * (40**3 - 20**3)),
        (tube(20, 45, 60), np.pi * (45**2 - 20**2) * 60),
        (slab(-10, 25), 35 * 100**2),
        (balls(line((-30, 0, 0), (30, 0, 0)), 15), np.pi * 15**2 * 60 + 4 / 3 * np.pi * 15**3),
        (balls(helix(30, 0, 1), 12), np.pi * 12**2 * 2 * np.pi * 30),
        (icosahedron(45, 1.0), 4 / 3 * np.pi * 45**3),
        (icosahedron(45, 0.0), 2.536 * 45**3),  # 20 tetrahedra; for corners at a distance of 1
    ],
)
def test_volumes_are_those_of_geometry(solid, expected_A3):
    assert volume_A3(solid) == pytest.approx(expected_A3, rel=0.04)


def test_sets_of_points_are_joined_shared_and_taken_away():
    ball, bar = BALL(POINTS), BAR(POINTS)
    np.testing.assert_array_equal(union(BALL, BAR, BALL)(POINTS), ball | bar)
    np.testing.assert_array_equal(common(BALL, BAR)(POINTS), ball & bar)
    np.testing.assert_array_equal(minus(BALL, BAR)(POINTS), ball & ~bar)


def test_a_solid_is_turned_then_shifted():
    upright = moved(BAR, (0, 5, 3), (0, 90, 0))
    assert upright(np.array([[0.0, 5, 46], [0, 5, -40], [0, 5, 49], [40, 5, 3]])).tolist() == [1, 1, 0, 0]
    about_z_last = moved(BAR, (0, 0, 0), (90, 0, 90))
    assert about_z_last(np.array([[0.0, 44, 0], [44, 0, 0], [8.5, 0, 0], [0, 0, 11.5]])).tolist() == [
        1,
        0,
        1,
        1,
    ]


@given(copies=st.integers(2, 12), turns=st.integers(1, 11))
def test_a_ring_of_copies_looks_alike_after_each_part_of_a_turn(copies, turns):
    ring = cyclic(moved(ellipsoid(11, 9, 14), (31, 3, 6)), copies)
    few = POINTS[:5000]
    again = ring(turned_about_z(few, turns * 2 * np.pi / copies))
    assert (again != ring(few)).sum() <= 2  # points on the surface, by rounding


def test_two_rings_back_to_back_look_alike_upside_down():
    both = dihedral(moved(BAR, (4, 9, 20)))
    off_plane = POINTS[np.abs(POINTS[:, 2]) > 1e-6]
    np.testing.assert_array_equal(both(off_plane), both(off_plane * [1, -1, -1]))
    assert volume_A3(both) == pytest.approx(
        2 * volume_A3(common(moved(BAR, (4, 9, 20)), slab(0, 99))), rel=0.1
    )


@pytest.mark.parametrize("frequency", [1, 2, 3, 4])
def test_a_capsid_has_as_many_capsomers_as_its_triangulation_says(frequency):
    places = icosahedral(frequency)
    assert len(places) == 10 * frequency**2 + 2
    np.testing.assert_allclose(np.linalg.norm(places, axis=1), 1)
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-9)
    cosines = np.sort(places @ places.T, axis=1)
    nearest_deg = np.rad2deg(np.arccos(cosines[:, -2]))
    assert nearest_deg.max() < 1.5 * nearest_deg.min()


@pytest.mark.parametrize("roundness", [0.0, 0.5, 1.0])
def test_facets_lie_nearer_to_the_middle_than_corners(roundness):
    corners, thirds = icosahedral(1), icosahedral(3)
    face_middles = thirds[(thirds @ corners.T).max(axis=1) < 0.8]
    assert len(face_middles) == 20
    np.testing.assert_allclose(faceted_radius(corners, roundness), 1)
    inscribed = 0.7947  # of a circumscribed sphere of 1
    expected = (1 - roundness) / inscribed + roundness
    np.testing.assert_allclose(faceted_radius(face_middles, roundness), expected, rtol=1e-3)


def test_a_helix_has_its_pitch_and_turns():
    path = helix(40, 30, 2.5)
    np.testing.assert_allclose(np.hypot(path[:, 0], path[:, 1]), 40)
    assert np.ptp(path[:, 2]) == pytest.approx(75)
    steps_A = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert steps_A.sum() == pytest.approx(2.5 * np.hypot(2 * np.pi * 40, 30), rel=0.01)
    assert steps_A.max() < 4.2


def test_an_uneven_solid_has_another_surface_and_about_its_size():
    for seed in range(5):
        dented = uneven(BALL, seed, 4, 16)
        changed = dented(POINTS) != BALL(POINTS)
        radius_A = np.linalg.norm(POINTS[changed], axis=1)
        assert changed.mean() * BOX_A3 > 0.05 * volume_A3(BALL)
        assert np.abs(radius_A - 30).max() < 20
        assert volume_A3(dented) == pytest.approx(volume_A3(BALL), rel=0.2)
        np.testing.assert_array_equal(uneven(BALL, seed, 4, 16)(POINTS), dented(POINTS))
    assert (uneven(BALL, 0, 4, 16)(POINTS) != uneven(BALL, 1, 4, 16)(POINTS)).any()


def test_domains_fill_their_room_and_stay_near_it():
    solid = domains(3, 12, (45, 30, 20), 14)
    inside = POINTS[solid(POINTS)]
    assert (((inside / (45 + 8, 30 + 8, 20 + 8)) ** 2).sum(axis=1) < 1).mean() > 0.97
    assert np.ptp(inside[:, 0]) > 1.3 * np.ptp(inside[:, 2])
    assert 0.3 < len(inside) / ellipsoid(45, 30, 20)(POINTS).sum() < 1.2
