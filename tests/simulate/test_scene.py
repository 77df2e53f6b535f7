import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import KDTree

from cryopick_ray.errors import UsageError
from cryopick_ray.settings.config import fill
from cryopick_ray.simulate.scene import Scene, SceneSettings, place

SHAPE = (700, 1000)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def plain(**values: object) -> SceneSettings:
    return fill(SceneSettings, **{"aggregates": 0, "broken_fraction": 0, **values})


def columns(scene: Scene) -> list[bytes]:
    return [np.asarray(column).tobytes() for column in vars(scene).values()]


def half_mask() -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:, :500] = True
    mask[::50] = True
    return mask


def points(scene: Scene) -> np.ndarray:
    return np.column_stack([scene.x_px, scene.y_px])


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 60),
    apart=st.floats(0.3, 1.3),
    size_A=st.floats(80, 140),
)
def test_exact_count_and_no_two_nearer_than_asked(seed, count, apart, size_A):
    diameters_A = (size_A, size_A / 2)
    scene = place(rng(seed), SHAPE, 2.0, diameters_A, plain(particles=count, minimum_distance=apart))
    assert scene.pickable.sum() == count
    radius_px = apart * np.asarray(diameters_A)[scene.molecule] / 2 / 2.0
    between = np.hypot(*(points(scene)[:, None] - points(scene)).T)
    np.fill_diagonal(between, np.inf)
    assert np.all(between >= radius_px[:, None] + radius_px - 1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), density=st.sampled_from([0.0, 0.5]))
def test_contamination_keeps_particles_off(seed, density):
    mask = half_mask()
    scene = place(rng(seed), SHAPE, 1.0, [40], SceneSettings(density_on_contamination=density), mask)
    inside = (scene.x_px >= 0) & (scene.x_px <= 999) & (scene.y_px >= 0) & (scene.y_px <= 699)
    row, column = np.rint(scene.y_px[inside]).astype(int), np.rint(scene.x_px[inside]).astype(int)
    on_mask = mask[row, column]
    assert not np.any(on_mask & scene.pickable[inside])
    assert np.any(on_mask) == (density > 0)


def test_contamination_leaves_the_density_of_the_rest_as_it_was():
    mask = half_mask()
    scene = place(rng(), SHAPE, 1.0, [20], plain(particles=400, density_on_contamination=0.25), mask)
    assert scene.pickable.sum() == round(400 * (1 - mask.mean()))
    inside = (scene.x_px >= 0) & (scene.x_px <= 999) & (scene.y_px >= 0) & (scene.y_px <= 699)
    assert inside.sum() - scene.pickable.sum() == round(400 * 0.25 * mask.mean())


def test_particles_reach_in_from_outside_as_densely_as_inside():
    scene = place(rng(), SHAPE, 1.0, [60], plain(particles=100))
    assert not np.any(scene.pickable[scene.x_px < 0])
    assert len(scene) - 100 == round(100 * (760 * 1060 / 700_000 - 1))
    assert scene.x_px.min() >= -30
    assert scene.x_px.max() <= 999 + 30
    assert scene.y_px.min() >= -30
    assert scene.y_px.max() <= 699 + 30


def test_particles_lie_evenly_and_between_pixels():
    draws = [place(rng(seed), SHAPE, 1.0, [20], plain(particles=100)) for seed in range(30)]
    x, y = (np.concatenate([getattr(s, axis)[s.pickable] for s in draws]) for axis in ("x_px", "y_px"))
    standard_error = 1 / np.sqrt(12 * len(x))
    assert x.mean() / 999 == pytest.approx(0.5, abs=5 * standard_error)
    assert y.mean() / 699 == pytest.approx(0.5, abs=5 * standard_error)
    assert np.mean(x % 1) == pytest.approx(0.5, abs=5 * standard_error)


def test_one_seed_one_scene():
    settings_, mask = SceneSettings(mixture=(3, 1), density_on_contamination=0.3), half_mask()
    scenes = [columns(place(rng(seed), SHAPE, 1.5, [50, 90], settings_, mask)) for seed in (7, 7, 8)]
    assert scenes[0] == scenes[1]
    assert scenes[0][0] != scenes[2][0]


@pytest.mark.parametrize("packing", [0.05, 0.3, 0.55])
def test_packing_is_a_fraction_of_the_close_packed_number(packing):
    scene = place(rng(), (3000, 3000), 1.0, [60], plain(packing=packing))
    close_packed = (np.pi / np.sqrt(12)) * 3000**2 / (np.pi * 30**2)
    assert scene.pickable.sum() == round(packing * close_packed)


def test_a_mixture_is_exact_to_one_particle_in_random_order():
    scene = place(rng(), (2000, 2000), 1.0, [40, 30, 20], plain(particles=101, mixture=(3, 0, 1)))
    molecule = scene.molecule[scene.pickable]
    numbers = np.bincount(molecule, minlength=3)
    assert numbers[1] == 0
    assert abs(numbers - 101 * np.array([0.75, 0, 0.25])).max() < 1
    assert 5 < np.count_nonzero(np.diff(molecule)) < 90


def test_broken_particles_are_an_exact_share_and_not_for_picking():
    scene = place(rng(), SHAPE, 1.0, [30], plain(particles=200, broken_fraction=0.2, fragment=[0.4, 0.6]))
    broken = scene.mass_fraction < 1
    assert scene.pickable.sum() == 160
    assert not np.any(broken & scene.pickable)
    assert np.all((scene.mass_fraction[broken] >= 0.4) & (scene.mass_fraction[broken] <= 0.6))


def test_aggregates_touch_and_are_not_for_picking():
    options = plain(particles=20, aggregates=5, aggregate_particles=[4, 9], minimum_distance=1)
    scene = place(rng(3), (2000, 2000), 1.0, [60], options)
    assert scene.pickable.sum() == 20
    assert set(scene.aggregate) == set(range(-1, 5))
    for clump in range(5):
        members = scene.aggregate == clump
        assert 4 <= members.sum() <= 9
        assert not np.any(scene.pickable[members])
        nearest = KDTree(points(scene)[members]).query(points(scene)[members], k=2)[0][:, 1]
        assert nearest.max() < 60
        apart = KDTree(points(scene)[~members]).query(points(scene)[members])[0]
        assert apart.min() >= 60


def test_aggregates_leave_room_to_single_particles():
    options = plain(packing=0.6, minimum_distance=0.85, aggregates=50)
    assert place(rng(), (1200, 1240), 1.0, [80], options).pickable.sum() == 161


def test_sizes_follow_the_pixel_size():
    fine, coarse = (
        place(rng(5), shape, pixel, [100], plain(packing=0.3))
        for shape, pixel in (((1000, 1000), 1.0), ((500, 500), 2.0))
    )
    assert fine.pickable.sum() == coarse.pickable.sum()


def test_empty_micrographs():
    empty = [
        len(place(rng(s), SHAPE, 1.0, [60], SceneSettings(empty_probability=0.5))) == 0 for s in range(200)
    ]
    assert 70 < sum(empty) < 130
    assert len(place(rng(), SHAPE, 1.0, [60], SceneSettings(empty_probability=1))) == 0
    assert len(place(rng(), SHAPE, 1.0, [60], plain(particles=0))) == 0


def test_nothing_fits_where_all_is_contaminated():
    scene = place(rng(), SHAPE, 1.0, [60], plain(particles=50), np.ones(SHAPE, dtype=bool))
    assert not scene.pickable.any()


@pytest.mark.parametrize("distance", [1.0, 0.85])
def test_the_stated_maximum_fits_and_one_more_is_refused(distance):
    shape = (1200, 1240)
    with pytest.raises(UsageError, match=r"5000 particles .*`scene.particles`.*`scene.packing`") as refusal:
        place(rng(), shape, 1.0, [80], plain(particles=5000, minimum_distance=distance))
    most = int(str(refusal.value).split("at most ")[1].split()[0])
    for seed in range(5):
        scene = place(rng(seed), shape, 1.0, [80], plain(particles=most, minimum_distance=distance))
        assert scene.pickable.sum() == most
    with pytest.raises(UsageError, match=f"at most {most} "):
        place(rng(), shape, 1.0, [80], plain(particles=most + 1, minimum_distance=distance))


@pytest.mark.parametrize(
    ("diameters_A", "options", "complaint"),
    [
        ([], {}, "`molecules`"),
        ([100, 0], {}, "`molecules`"),
        ([float("nan")], {}, "`molecules`"),
        ([100], {"mixture": (1, 2)}, "scene.mixture"),
        ([100, 50], {"mixture": (0, 0)}, "scene.mixture"),
    ],
)
def test_molecules_that_make_no_sense_are_refused(diameters_A, options, complaint):
    with pytest.raises(UsageError, match=complaint):
        place(rng(), SHAPE, 1.0, diameters_A, plain(**options))


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(UsageError, match=r"\(10, 10\)"):
        place(rng(), SHAPE, 1.0, [100], plain(), np.zeros((10, 10), dtype=bool))


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"packing": [0.4, 0.1]}, "`packing` is .*low <= high"),
        ({"packing": -0.1}, "`packing` is .*from 0 to 1"),
        ({"packing": float("nan")}, "`packing` is .*finite"),
        ({"packing": True}, "`packing` is True: .*number"),
        ({"packing": [0.1, 0.2, 0.3]}, "`packing` is .*number"),
        ({"particles": 1.5}, "`particles` is "),
        ({"particles": 10**9}, "`particles` is .*100000"),
        ({"aggregate_particles": 1}, "`aggregate_particles` is .*from 2"),
        ({"fragment": [0, 1]}, "`fragment` is "),
        ({"minimum_distance": 0}, "`minimum_distance` is "),
        ({"overlap": 1}, "overlap is not a setting"),
    ],
)
def test_impossible_settings_are_refused(values, complaint):
    with pytest.raises(UsageError, match=complaint):
        fill(SceneSettings, **values)


def test_settings_survive_json():
    asked = fill(SceneSettings, particles=[10, 30], packing=0.2, mixture=[1, 2])
    assert asked.particles == (10, 30)
    assert asked.packing == (0.2, 0.2)
    assert SceneSettings.model_validate(json.loads(asked.model_dump_json())) == asked
