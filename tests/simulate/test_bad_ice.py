import numpy as np
import pytest
from scipy.stats import kurtosis, skew

from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.settings.config import fill
from cryopick_ray.simulate.contamination import KINDS, MATERIAL_A, ContaminationSettings, contaminate
from cryopick_ray.simulate.extent import all_over, extent
from cryopick_ray.simulate.field import FieldOfView
from cryopick_ray.simulate.ice_crystals import fused, lumps
from cryopick_ray.simulate.texture import FORMS, HIDES_A

SHAPE, PIXEL_SIZE_A = (600, 800), 4.0
VIEW = FieldOfView(SHAPE, PIXEL_SIZE_A)
OLD = ["carbon", "gold", "crystals", "blobs", "specks", "scratches"]
ICE = ["crystalline", "texture", "uneven", "lattice"]
MATTER = [kind for kind in KINDS if kind not in ICE]


def rng(seed=0):
    return np.random.default_rng(seed)


def only(**kinds):
    """Settings that draw these kinds, with certainty, and no other."""
    defaults = ContaminationSettings().model_dump()
    chances = {name: {**defaults[name], "probability": 0} for name in KINDS}
    asked = {name: {**defaults[name], "probability": 1, **values} for name, values in kinds.items()}
    return fill(ContaminationSettings, **{**chances, **asked})


def drawn(seed=0, **kinds):
    return contaminate(rng(seed), SHAPE, PIXEL_SIZE_A, only(**kinds))


def texture_of(kind, seed, **values):
    """Thickness that one kind of ice adds, and where it lies."""
    [patch] = KINDS[kind].draw(rng(seed), VIEW, getattr(only(**{kind: values}), kind))
    return patch.grain_A, patch.covered


@pytest.mark.parametrize("kind", MATTER)
@pytest.mark.parametrize("seed", range(3))
def test_codes_lie_where_matter_was_put(kind, seed):
    there = drawn(seed, **{kind: {}})
    assert there.junk.dtype == np.uint8
    assert there.mask.any()
    assert np.array_equal(there.junk == KINDS[kind].junk, there.mask)
    assert np.all(there.junk[~there.mask] == Junk.NONE)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_that_excludes_particles_is_untold(seed):
    there = drawn(seed, **{kind: {} for kind in KINDS if kind not in ("carbon", "gold")})
    assert set(np.unique(there.junk[~there.mask])) <= {Junk.NONE, Junk.LATTICE}
    assert not np.isin(there.junk[there.mask], [Junk.NONE, Junk.LATTICE]).any()


def test_the_kind_with_the_most_matter_is_told():
    film = {"thickness_A": 300, "reach": 1, "grain_contrast": 0}
    thin, thick = ({"number": 5, "diameter_A": d, "thickness": 0.9, "lobes": 1} for d in (60, 1_000))
    assert set(np.unique(drawn(1, carbon=film, blobs=thin).junk)) == {Junk.CARBON}
    assert set(np.unique(drawn(1, carbon=film, blobs=thick).junk)) == {Junk.CARBON, Junk.CONTAMINATION}


def test_bad_ice_with_a_lattice_on_it_is_bad_ice_and_dirt_on_both_is_dirt():
    both = drawn(2, crystalline={"share": 0.5}, lattice={}, blobs={"number": 3, "diameter_A": 600})
    assert set(np.unique(both.junk)) == {Junk.ICE, Junk.CONTAMINATION, Junk.LATTICE}
    alone = drawn(2, crystalline={"share": 0.5})
    assert np.array_equal(both.junk == Junk.ICE, (alone.junk == Junk.ICE) & (both.junk != Junk.CONTAMINATION))


@pytest.mark.parametrize("seed", range(3))
def test_new_kinds_leave_the_streams_of_the_old_ones_alone(seed):
    assert list(KINDS)[:6] == OLD
    thickness = np.zeros(SHAPE, np.float32)
    for stream, kind in zip(rng(seed).spawn(6), OLD, strict=True):
        for patch in KINDS[kind].draw(stream, VIEW, getattr(only(**{kind: {}}), kind)):
            whole = patch.thickness_A if patch.grain_A is None else patch.thickness_A + patch.grain_A
            thickness[patch.rows, patch.columns] += whole
    there = drawn(seed, **{kind: {} for kind in OLD})
    np.testing.assert_allclose(there.absorption, thickness / 3_000, atol=1e-5)
    assert not any(getattr(ContaminationSettings(), kind).probability for kind in KINDS if kind not in OLD)


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_part_is_as_large_as_asked(share):
    parts = [extent(rng(seed), VIEW, share) for seed in range(20)]
    assert np.mean([part.mean() for part in parts]) == pytest.approx(share, abs=0.1)
    assert np.mean([((part > 0) & (part < 1)).mean() for part in parts]) < 0.2
    assert extent(rng(), VIEW, 1.3).min() == 1


def test_crystalline_ice_is_told_where_it_is_and_smooth_ice_beside_it_is_untouched():
    grain, covered = texture_of("crystalline", 3, share=0.5)
    there = drawn(3, crystalline={"share": 0.5})
    assert 0.3 < covered.mean() < 0.7
    assert grain[covered].std() > 3 * grain[~covered].std()
    assert np.median(np.abs(grain[~covered])) < 1
    assert np.array_equal(there.mask, there.junk == Junk.ICE)


@pytest.mark.parametrize("seed", range(4))
def test_crystalline_ice_is_not_gaussian_and_has_dark_spots(seed):
    mottle, _ = texture_of("crystalline", seed, share=2, size_A=40, contrast_A=50, spot_level=6)
    spotted, _ = texture_of(
        "crystalline", seed, share=2, size_A=40, contrast_A=50, spot_level=1.5, spot_A=300
    )
    gaussian = all_over(rng(seed), VIEW, 40)
    assert abs(kurtosis(gaussian, axis=None)) < 0.3
    assert kurtosis(mottle, axis=None) > 0.7
    assert mottle.std() == pytest.approx(50, rel=0.2)
    assert skew(spotted, axis=None) > 0.5 + skew(mottle, axis=None)  # thicker is darker


@pytest.mark.parametrize("form", FORMS)
def test_textures_have_unit_variance_and_are_not_gaussian(form):
    relief = form(all_over(rng(), VIEW, 25))
    assert relief.mean() == pytest.approx(0, abs=0.05)
    assert relief.std() == pytest.approx(1, abs=0.05)
    assert abs(skew(relief, axis=None)) > 0.7 or kurtosis(relief, axis=None) < -1


@pytest.mark.parametrize("strength_A", [5, HIDES_A - 1, HIDES_A, 80])
def test_a_texture_is_as_strong_as_asked_and_junk_only_if_it_hides_particles(strength_A):
    seen = [texture_of("texture", seed, share=2, size_A=30, strength_A=strength_A)[0] for seed in range(6)]
    assert np.mean([relief.std() for relief in seen]) == pytest.approx(strength_A, rel=0.15)
    there = drawn(1, texture={"strength_A": strength_A, "share": 2})
    assert set(np.unique(there.junk)) == {Junk.ICE if strength_A >= HIDES_A else Junk.NONE}
    assert there.mask.all() == (strength_A >= HIDES_A)


@pytest.mark.parametrize("seed", range(4))
def test_uneven_ice_is_not_junk_and_changes_over_more_than_a_particle(seed):
    ice, covered = texture_of("uneven", seed, band_edge_A=200)
    there = drawn(seed, uneven={"band_edge_A": 200})
    assert covered is None
    assert not there.junk.any()
    assert not there.mask.any()
    assert there.absorption.std() > 0.002
    assert np.abs(np.diff(ice, axis=0)).max() < 0.06 * np.ptp(ice)  # per 4 A


def test_a_lattice_has_the_spacing_angle_and_contrast_asked():
    crystal, covered = texture_of("lattice", 5, spacing_A=58, angle_deg=90, contrast_A=10, disorder_A=0)
    assert covered.all()
    assert crystal.std() == pytest.approx(10, rel=0.05)
    window = np.outer(*(np.hanning(side) for side in SHAPE))
    power = np.abs(np.fft.rfft2(crystal * window)) ** 2
    k_y, k_x = np.fft.fftfreq(SHAPE[0], PIXEL_SIZE_A)[:, None], np.fft.rfftfreq(SHAPE[1], PIXEL_SIZE_A)
    first = power * (np.hypot(k_y, k_x) < 1.2 / 58)
    row, column = np.unravel_index(first.argmax(), first.shape)
    peak = np.array([k_y[row, 0], k_x[column]])
    assert 1 / np.hypot(*peak) == pytest.approx(58, rel=0.03)
    first[np.abs(k_y * peak[0] + k_x * peak[1]) > 0.5 * (peak @ peak)] = 0
    row, column = np.unravel_index(first.argmax(), first.shape)
    other = np.array([k_y[row, 0], k_x[column]])
    assert 1 / np.hypot(*other) == pytest.approx(58, rel=0.03)
    assert abs(peak @ other) < 0.05 * (peak @ peak)


def test_a_lattice_is_told_and_keeps_no_particle_off():
    there = drawn(0, lattice={})
    assert np.all(there.junk == Junk.LATTICE)
    assert not there.mask.any()
    assert np.abs(there.potential_A).max() > MATERIAL_A / 5


def test_lobes_that_fused_are_as_thick_as_the_thickest_and_lie_where_they_lay():
    settings = only(chains={"number": 6, "lobes": 5}).chains
    apart, together = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    for patch in lumps(rng(4), VIEW, settings):
        there = apart[patch.rows, patch.columns]
        np.maximum(there, patch.thickness_A, out=there)
    for patch in fused(rng(4), VIEW, settings):
        there = together[patch.rows, patch.columns]
        np.maximum(there, patch.thickness_A, out=there)
    assert np.array_equal(apart, together)


def roundness(kind):
    """Area over that of the circle of the same diameter, of lumps that lie alone."""
    values = {"number": 1, "lobes": 1, "diameter_A": 600}
    shares = []
    for seed in range(30):
        [patch] = KINDS[kind].draw(rng(seed), VIEW, getattr(only(**{kind: values}), kind))
        y, x = np.nonzero(patch.thickness_A)
        touches = patch.rows.start == 0 or patch.columns.start == 0
        if touches or patch.rows.stop == SHAPE[0] or patch.columns.stop == SHAPE[1]:
            continue
        reach = np.hypot(y - y.mean(), x - x.mean()).max()
        shares.append(len(y) / (np.pi * reach**2))
    return np.median(shares)


def test_flakes_have_corners_and_beads_are_round():
    assert roundness("flakes") < 0.75
    assert roundness("fiducials") > 0.85


def test_beads_of_gold_are_darker_than_ice_of_their_size():
    bead, ball = (drawn(1, **{kind: {"number": 8, "diameter_A": 120}}) for kind in ("fiducials", "specks"))
    assert bead.absorption.max() > 10 * ball.absorption.max()


def test_halos_are_dark_in_the_middle_with_a_bright_ring():
    [patch] = KINDS["halos"].draw(rng(7), VIEW, only(halos={"number": 1, "diameter_A": 300}).halos)
    y, x = np.nonzero(patch.thickness_A > 0.5 * patch.thickness_A.max())
    dy, dx = np.indices(patch.thickness_A.shape)
    away_A = PIXEL_SIZE_A * np.hypot(dy - y.mean(), dx - x.mean())
    profile = np.array([patch.thickness_A[(away_A >= r) & (away_A < r + 20)].mean() for r in (0, 300)])
    assert profile[0] > 20 * abs(profile[1])
    assert patch.thickness_A.min() < -0.05 * patch.thickness_A.max()
    assert away_A[patch.thickness_A == patch.thickness_A.min()].min() > 150


def test_strands_are_as_long_and_wide_as_asked():
    view = FieldOfView((3000, 3000), 4.0)
    values = {"number": 1, "width_A": 80, "length_A": 1_500, "persistence_A": 1e6, "thickness_A": 50}
    whole = [next(KINDS["strands"].draw(rng(s), view, only(strands=values).strands)) for s in range(12)]
    sizes = [
        (np.sum(patch.thickness_A > 0) * 16, patch.thickness_A.max())
        for patch in whole
        if min(patch.rows.start, patch.columns.start) > 0 and max(patch.rows.stop, patch.columns.stop) < 3000
    ]
    assert len(sizes) > 5
    for area_A2, thickness_A in sizes:
        assert area_A2 == pytest.approx(1_500 * 80 + np.pi * 40**2, rel=0.06)
        assert thickness_A == pytest.approx(50, rel=0.02)
