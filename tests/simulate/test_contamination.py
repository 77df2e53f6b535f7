import numpy as np
import pytest
from scipy.ndimage import binary_dilation, label

from cryopick_ray.errors import UsageError
from cryopick_ray.settings.config import fill
from cryopick_ray.simulate.contamination import (
    KINDS,
    MATERIAL_A,
    Contamination,
    ContaminationSettings,
    contaminate,
)
from cryopick_ray.simulate.drawn_ranges import draw, draw_count, draw_log
from cryopick_ray.simulate.field import FieldOfView, Patch, smooth_noise
from cryopick_ray.simulate.films import CARBON, film
from cryopick_ray.simulate.ice_crystals import lumps
from cryopick_ray.simulate.ice_crystals_known import SPECKS

SHAPE = (600, 800)
PIXEL_SIZE_A = 4.0
UNDERNEATH = {"crystalline", "texture", "uneven", "lattice"}
"""Kinds that change the ice itself, so that thickness does not tell where they are."""


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def only(kind: str, **values: object) -> ContaminationSettings:
    """Settings that draw one kind, with certainty."""
    defaults = ContaminationSettings().model_dump()
    chances = {name: {**defaults[name], "probability": 0} for name in KINDS}
    return fill(ContaminationSettings, **{**chances, kind: {**defaults[kind], "probability": 1, **values}})


def drawn(
    kind: str, seed: int = 0, shape=SHAPE, pixel_size_A=PIXEL_SIZE_A, **values: object
) -> Contamination:
    return contaminate(rng(seed), shape, pixel_size_A, only(kind, **values))


def test_every_kind_is_a_setting_and_is_told():
    assert set(KINDS) == set(ContaminationSettings.model_fields) - {"coherent_A", "mean_free_path_A"}


def test_nothing_comes_of_no_chance():
    settings = fill(
        ContaminationSettings,
        **{k: {**v, "probability": 0} for k, v in ContaminationSettings().model_dump().items() if k in KINDS},
    )
    clean = contaminate(rng(), SHAPE, PIXEL_SIZE_A, settings)
    assert clean.potential_A.shape == clean.absorption.shape == clean.mask.shape == SHAPE
    assert not clean.potential_A.any()
    assert not clean.absorption.any()
    assert not clean.mask.any()


@pytest.mark.parametrize("kind", sorted(set(KINDS) - UNDERNEATH))
@pytest.mark.parametrize("seed", range(4))
def test_the_mask_covers_what_matters(kind, seed):
    there = drawn(kind, seed)
    assert there.potential_A.dtype == there.absorption.dtype == np.float32
    assert np.isfinite(there.potential_A).all()
    assert np.isfinite(there.absorption).all()
    assert there.mask.any()
    assert np.abs(there.potential_A[~there.mask]).max() < 2 * MATERIAL_A
    assert np.abs(there.absorption[~there.mask]).max() < 2 * MATERIAL_A / 3_000
    assert np.abs(there.potential_A[there.mask]).mean() > MATERIAL_A


@pytest.mark.parametrize("kind", KINDS)
def test_one_seed_one_specimen(kind):
    same, again, other = (drawn(kind, seed) for seed in (3, 3, 4))
    assert same.potential_A.tobytes() == again.potential_A.tobytes()
    assert same.absorption.tobytes() == again.absorption.tobytes()
    assert same.junk.tobytes() == again.junk.tobytes()
    assert not np.array_equal(same.potential_A, other.potential_A)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_a_coarser_pixel_size_shows_the_same_specimen(kind, seed):
    fine = drawn(kind, seed, (400, 600), 4.0)
    coarse = drawn(kind, seed, (200, 300), 8.0)
    np.testing.assert_allclose(coarse.potential_A, fine.potential_A[::2, ::2], atol=1e-2)
    np.testing.assert_allclose(coarse.absorption, fine.absorption[::2, ::2], atol=1e-5)


def test_kinds_do_not_disturb_each_other():
    specks = only("specks")
    both = specks.model_copy(update={"carbon": only("carbon").carbon})
    alone = contaminate(rng(1), SHAPE, PIXEL_SIZE_A, specks)
    film_alone = contaminate(rng(1), SHAPE, PIXEL_SIZE_A, only("carbon"))
    together = contaminate(rng(1), SHAPE, PIXEL_SIZE_A, both)
    np.testing.assert_allclose(together.absorption, alone.absorption + film_alone.absorption, atol=1e-6)


def test_chances_are_kept():
    settings = only("specks", probability=0.3)
    seen = sum(contaminate(rng(s), (200, 200), 10.0, settings).mask.any() for s in range(150))
    assert 25 < seen < 65


def test_a_film_lies_around_a_round_hole():
    quiet = {"roughness_A": 0, "grain_contrast": 0, "slope_A": 1, "hole_radius_A": 800, "reach": 0.25}
    there = drawn("carbon", 2, (500, 500), 4.0, **quiet)
    y, x = np.nonzero(~there.mask & binary_dilation(there.mask))  # the last pixels of the hole
    design = np.column_stack([x, y, np.ones(len(x))])
    (a, b, c), *_ = np.linalg.lstsq(design, x**2 + y**2, rcond=None)
    radius_A = 4.0 * np.sqrt(c + (a**2 + b**2) / 4)
    assert radius_A == pytest.approx(800, abs=4)


@pytest.mark.parametrize("reach", [0.1, 0.4])
def test_a_film_comes_in_as_far_as_asked(reach):
    settings = CARBON.model_copy(
        update={
            "probability": 1.0,
            "reach": (reach, reach),
            "roughness_A": (0, 0),
            "hole_radius_A": (1e8, 1e8),
        }
    )
    # with a hole this large the edge is straight, and by symmetry reach 1 - r leaves what reach r covers
    other = settings.model_copy(update={"reach": (1 - reach, 1 - reach)})
    view = FieldOfView((300, 300), 20.0)
    covered, left = (np.mean(next(film(rng(5), view, s)).thickness_A > 0) for s in (settings, other))
    assert covered + left == pytest.approx(1, abs=0.02)
    assert covered < 0.5 < left


def test_gold_is_nearly_opaque_and_carbon_is_not():
    gold, carbon = drawn("gold", 1), drawn("carbon", 1)
    assert np.median(np.exp(-gold.absorption[gold.mask])) < 0.4
    assert np.median(np.exp(-carbon.absorption[carbon.mask])) > 0.8


def test_carbon_is_grainy_and_ice_is_smooth():
    def roughness(there: Contamination) -> float:
        inner = there.potential_A[:-1][there.mask[:-1]] - there.potential_A[1:][there.mask[:-1]]
        return float(np.median(np.abs(inner)))

    assert roughness(drawn("carbon", 1)) > 5 * roughness(drawn("blobs", 1))


def test_specks_are_as_many_and_as_large_as_asked():
    settings = {"number": 12, "diameter_A": 200, "thickness": 0.5, "irregularity": 0, "facets": 24}
    there = drawn("specks", 3, (2000, 2000), 8.0, **settings)
    blobs, count = label(there.mask)
    areas_A2 = np.bincount(blobs.ravel())[1:] * 64.0
    assert 9 <= count <= 12  # some may touch or lie at the border
    assert np.median(areas_A2) == pytest.approx(np.pi * 100**2, rel=0.05)
    assert there.absorption.max() == pytest.approx(100 / 3_000, rel=0.02)


@pytest.mark.parametrize("facets", [4, 5, 9, 24])
@pytest.mark.parametrize("irregularity", [0, 0.2])
def test_no_lump_is_cut_off_by_its_window(facets, irregularity):
    values = {"number": 40, "lobes": [1, 3], "facets": facets, "irregularity": irregularity, "steepness": 20}
    view = FieldOfView((2000, 2000), 10.0)
    whole = [p for p in lumps(rng(), view, only("crystals", **values).crystals) if within(p, view)]
    assert len(whole) > 30
    for patch in whole:
        assert patch.thickness_A.any()
        assert not patch.thickness_A[[0, -1]].any()
        assert not patch.thickness_A[:, [0, -1]].any()


def within(patch: Patch, view: FieldOfView) -> bool:
    spans = zip((patch.rows, patch.columns), view.shape, strict=True)
    return all(span.start > 0 and span.stop < side for span, side in spans)


def test_cracks_let_more_through():
    crack = drawn("scratches", 0, number=1, thickness_A=-200, width_A=100)
    assert crack.absorption.min() == pytest.approx(-200 / 3_000, rel=0.05)
    assert crack.absorption.max() == 0
    assert crack.mask.mean() < 0.15


def test_thick_matter_levels_off_in_phase_but_not_in_absorption():
    thin, thick = (drawn("blobs", 1, thickness=t, number=1, lobes=1) for t in (0.1, 1.0))
    assert thick.absorption.max() == pytest.approx(10 * thin.absorption.max(), rel=1e-3)
    assert thick.potential_A.max() <= 150


def test_smooth_noise_has_unit_variance_and_the_width_asked():
    positions = np.arange(1000) * 4.0
    noise = smooth_noise(rng(), positions, positions, (0.0, 0.0, 4000.0), 16.0)
    assert noise.std() == pytest.approx(1, abs=0.03)
    assert noise.mean() == pytest.approx(0, abs=0.03)
    power = np.abs(np.fft.rfft(noise, axis=1)) ** 2
    frequency = np.fft.rfftfreq(1000, 4.0)
    assert power[:, frequency > 1 / 16].sum() < 0.01 * power.sum()


def test_draws_stay_in_their_range_and_fill_it():
    source = rng()
    even = [draw(source, (-2, 6)) for _ in range(2000)]
    logarithmic = [draw_log(source, (10, 1000)) for _ in range(2000)]
    counts = [draw_count(source, (2, 4)) for _ in range(300)]
    assert min(even) >= -2
    assert max(even) <= 6
    assert np.mean(even) == pytest.approx(2, abs=0.3)
    assert min(logarithmic) >= 10
    assert max(logarithmic) <= 1000
    assert np.median(logarithmic) == pytest.approx(100, rel=0.2)
    assert set(counts) == {2, 3, 4}
    assert draw(source, (0.1, 0.1)) == draw_log(source, (0.1, 0.1)) == 0.1


@pytest.mark.parametrize(
    ("kind", "values", "complaint"),
    [
        ("carbon", {"probability": 1.2}, "less than or equal to 1"),
        ("carbon", {"hole_radius_A": [9000, 100]}, "`carbon.hole_radius_A` is .*low <= high"),
        ("gold", {"slope_A": 0}, "`gold.slope_A` is .*from 1e-09"),
        ("specks", {"number": -1}, "`specks.number` is .*from 0"),
        ("specks", {"diameter_A": float("inf")}, "`specks.diameter_A` is .*finite"),
        ("blobs", {"facets": 2}, "`blobs.facets` is .*from 4"),
        ("scratches", {"color": "red"}, "scratches.color is not a setting"),
    ],
)
def test_impossible_settings_are_refused(kind, values, complaint):
    with pytest.raises(UsageError, match=complaint):
        only(kind, **values)


@pytest.mark.parametrize(
    ("shape", "pixel_size_A"), [((0, 10), 1.0), ((10, 10), 0.0), ((10, 10), float("nan"))]
)
def test_an_image_without_size_is_refused(shape, pixel_size_A):
    with pytest.raises(UsageError, match="`pixel_size_A`"):
        contaminate(rng(), shape, pixel_size_A, ContaminationSettings(specks=SPECKS))
