from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import KDTree

from cryopick_ray.errors import UsageError
from cryopick_ray.settings.config import fill
from cryopick_ray.simulate.field import FieldOfView
from cryopick_ray.simulate.filament_scene import FilamentSceneSettings
from cryopick_ray.simulate.laying import APART, SHORTEST, lay_filaments
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.scene import SceneSettings
from cryopick_ray.simulate.simulation_settings import simulation_settings

SHAPE = (500, 700)
WIDTH_PX = 20.0
ACTIN, FLAGELLUM, GLOBULE = map(load_molecule, ("actin", "flagellum", "globule"))
PLAIN = {"bundled": 0, "broken": 0, "tangles": 0, "crossing_probability": 1}


def scene_settings(*, empty=0.0, on_contamination=0.0, mixture=None, **values):
    filaments = fill(FilamentSceneSettings, **{**PLAIN, **values})
    return SceneSettings(
        filaments=filaments,
        empty_probability=empty,
        density_on_contamination=on_contamination,
        mixture=mixture,
    )


def lay(seed=0, *, molecules=(ACTIN,), mask=None, unseen=None, shape=SHAPE, width_px=WIDTH_PX, **values):
    view = FieldOfView(shape, molecules[0].diameter_A / width_px)
    mask = np.zeros(shape, bool) if mask is None else mask
    rng = np.random.default_rng(seed)
    unseen = mask if unseen is None else mask | unseen
    return lay_filaments(rng, view, scene_settings(**values), molecules, mask, unseen)


def half_mask():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[:, :300] = True
    return mask


def on(mask, points):
    column, row = np.rint(points).astype(int).T
    return mask[row, column]


def nearest(scene):
    """Distance of each filament's points to the nearest other filament, in widths."""
    for i, filament in enumerate(scene.filaments):
        others = [two.points for j, two in enumerate(scene.filaments) if j != i]
        if others:
            yield KDTree(np.concatenate(others)).query(filament.points)[0] / WIDTH_PX


@given(seed=st.integers(0, 2**32), persistence=st.floats(5, 1000))
@settings(max_examples=20, deadline=None)
def test_what_counts_lies_in_the_image_off_contamination_and_is_long_enough(seed, persistence):
    mask, unseen = half_mask(), np.zeros(SHAPE, bool)
    unseen[:40] = True
    scene = lay(seed, mask=mask, unseen=unseen, density=0.3, persistence=persistence, tangles=2, broken=0.5)
    traces = [trace for _, trace in scene.traces(pickable=True)]
    assert traces
    for trace in traces:
        assert (trace.points >= 0).all()
        assert (trace.points <= (SHAPE[1] - 1, SHAPE[0] - 1)).all()
        assert not on(mask | unseen, trace.points).any()
        assert trace.length_px >= SHORTEST * WIDTH_PX - 1e-6
        for x, y, radius in scene.tangles:
            assert np.hypot(*(trace.points - (x, y)).T).min() > radius
    for filament in scene.filaments:
        assert not on(mask, filament.points[filament.inside]).any()


def test_filaments_lie_where_nobody_traces_them_and_count_as_decoys_there():
    unseen = np.zeros(SHAPE, bool)
    unseen[:100] = True
    scene = lay(unseen=unseen, density=0.3)
    decoys = np.concatenate([trace.points for _, trace in scene.traces(pickable=False)])
    assert on(unseen, decoys).mean() > 0.5


def test_filaments_lie_on_contamination_where_asked_and_count_as_decoys():
    mask = half_mask()
    scene = lay(mask=mask, density=0.3, on_contamination=1.0)
    decoys = np.concatenate([trace.points for _, trace in scene.traces(pickable=False)])
    assert on(mask, decoys).mean() > 0.5
    assert not any(on(mask, trace.points).any() for _, trace in scene.traces(pickable=True))


@pytest.mark.parametrize("number", [1, 7, 30])
def test_as_many_as_asked(number):
    scene = lay(number=number, length=[2, 4], persistence=1000)
    assert len(scene.filaments) == number
    bundled = lay(number=number, length=[2, 4], bundled=1, persistence=1000)
    assert len(bundled.filaments) <= number


@pytest.mark.parametrize("density", [0.05, 0.3])
def test_filaments_cover_the_share_of_the_clean_image_that_is_asked(density):
    mask = half_mask()
    clean = (~mask).sum()
    lengths = [
        sum(filament.inside.sum() for filament in lay(seed, mask=mask, density=density, length=10).filaments)
        / 8
        for seed in range(10)
    ]
    assert np.mean(lengths) * WIDTH_PX**2 / clean == pytest.approx(density, rel=0.15, abs=0.02)


def test_filaments_that_do_not_cross_keep_apart_and_others_cross():
    crossing = lay(1, density=0.4, crossing_probability=1)
    apart = lay(1, density=0.4, crossing_probability=0, persistence=20)
    assert min(near.min() for near in nearest(crossing)) < 0.5
    assert len(apart.filaments) > 5
    assert min(near.min() for near in nearest(apart)) >= APART - 1e-6
    for filament in apart.filaments:
        near = KDTree(filament.points).query_pairs(WIDTH_PX, output_type="ndarray")
        assert np.abs(near[:, 1] - near[:, 0]).max() < 8 * 4


def test_those_of_a_bundle_run_side_by_side():
    scene = lay(2, number=4, bundled=1, bundle=4, bundle_distance=1.2, length=30, persistence=50)
    assert len(scene.filaments) >= 3
    beside = np.concatenate(list(nearest(scene)))
    assert np.median(beside) == pytest.approx(1.2, abs=0.05)
    assert beside.min() > 1.1


def test_half_of_the_filaments_are_in_bundles_if_half_is_asked():
    in_bundles = []
    for seed in range(12):
        scene = lay(seed, bundled=0.5, bundle=3, bundle_distance=1.1, density=0.1, persistence=1e5, length=8)
        in_bundles += [np.median(near) < 1.3 for near in nearest(scene)]
    assert np.mean(in_bundles) == pytest.approx(0.5, abs=0.17)


def test_broken_filaments_are_pieces_with_gaps_as_wide_as_asked():
    one = {"number": 1, "length": 30, "persistence": 1e6, "shape": (2000, 2000)}
    assert len(lay(3, **one).filaments) == 1
    pieces = [lay(seed, broken=1, gap=3, **one).filaments for seed in range(8)]
    assert max(map(len, pieces)) >= 2
    for some in pieces:
        for before, after in pairwise(some):
            apart = np.hypot(*(after.points[0] - before.points[-1])) / WIDTH_PX
            assert apart >= 3 - 1e-6


@pytest.mark.parametrize("low", [2.0, 50.0])
def test_lengths_are_those_asked(low):
    scene = lay(number=30, length=[low, 2 * low], persistence=1e6, shape=(9000, 9000))
    whole = [filament for filament in scene.filaments if filament.inside.all()]
    lengths = np.array([(len(one.points) - 1) / 8 for one in whole])
    assert len(whole) > 5
    assert lengths.min() >= low - 0.2
    assert lengths.max() <= 2 * low + 0.2


def test_one_seed_gives_one_specimen_at_every_pixel_size():
    fine = lay(4, shape=(1000, 1400), width_px=2 * WIDTH_PX, density=0.2, tangles=1)
    coarse = lay(4, density=0.2, tangles=1)
    assert len(fine.filaments) == len(coarse.filaments)
    for filament, two in zip(fine.filaments, coarse.filaments, strict=True):
        assert filament.points == pytest.approx(2 * two.points)
    assert fine.tangles == pytest.approx(2 * coarse.tangles)


def test_equal_seeds_lay_equal_filaments_and_others_do_not():
    some = [lay(seed, density=0.2, broken=0.5, bundled=0.5, tangles=1).filaments for seed in (5, 5, 6)]
    points = [np.concatenate([filament.points for filament in filaments]) for filaments in some]
    assert np.array_equal(points[0], points[1])
    assert not np.array_equal(points[0][:50], points[2][:50])


def test_particles_are_no_filaments_and_the_mixture_counts():
    assert lay(molecules=(GLOBULE,), width_px=20) is None
    mixed = lay(molecules=(ACTIN, GLOBULE, FLAGELLUM), mixture=(1, 5, 3), number=200, length=2)
    kinds = np.bincount([filament.molecule for filament in mixed.filaments], minlength=3)
    assert kinds[1] == 0
    assert kinds[2] / kinds.sum() == pytest.approx(0.75, abs=0.1)
    assert lay(molecules=(ACTIN, GLOBULE), mixture=(0, 1)).filaments == ()


def test_an_empty_micrograph_has_none():
    scene = lay(empty=1.0, density=0.3, tangles=3)
    assert scene.is_empty
    assert (scene.filaments, len(scene.tangles)) == ((), 0)


def test_a_field_full_of_contamination_has_none():
    scene = lay(mask=np.ones(SHAPE, bool), number=5, tangles=2)
    assert scene.filaments == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"density": 0.9},
        {"length": 1},
        {"persistence": 0},
        {"bundle": 1},
        {"gap": 0},
        {"tilt_deg": 45},
        {"x": 1},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(UsageError, match=rf"scene\.filaments\.{next(iter(wrong))}"):
        simulation_settings({"molecules": ["actin"], "scene": {"filaments": wrong}})
