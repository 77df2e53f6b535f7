import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, gaussian_filter

from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.settings.config import assigned, fill
from cryopick_ray.simulate.contamination import KINDS, ContaminationSettings, contaminate
from cryopick_ray.simulate.field import FieldOfView
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.simulated_micrograph import simulate
from cryopick_ray.simulate.simulation_settings import simulation_settings
from cryopick_ray.simulate.stain import BALLS, PROTEIN_V, StainSettings, draw_stain, stained

VIEW = FieldOfView((300, 300), 5.0)
CLEAN = [f"contamination.{kind}.probability=0" for kind in KINDS]
EVEN = {"unevenness": 0, "grain_contrast": 0}


def make(*texts, number=0):
    data = {"molecules": ["proteasome-20s"], "height_px": 320, "width_px": 384, "pixel_size_A": 5.0}
    texts = ["scene.particles=12", "scene.aggregates=0", "scene.broken_fraction=0", *CLEAN, *texts]
    settings = simulation_settings(assigned(data, texts))
    return simulate(settings, [load_molecule("proteasome-20s")], number)


def none_at_all():
    defaults = ContaminationSettings().model_dump()
    settings = fill(
        ContaminationSettings, **{**defaults, **{k: {**defaults[k], "probability": 0} for k in KINDS}}
    )
    return contaminate(np.random.default_rng(0), VIEW.shape, VIEW.pixel_size_A, settings)


def with_disc(thickness_A, **values):
    """Depth of stain in and around a disc of protein of 100 A radius, relative to that far away."""
    none = {"balls": {**BALLS.model_dump(), "probability": 0}}
    settings = fill(StainSettings, **{"probability": 1, **none, **EVEN, **values})
    stain = draw_stain(np.random.default_rng(1), VIEW, settings)
    y, x = np.indices(VIEW.shape)
    inside = np.hypot(y - 150, x - 150) <= 20
    potential = np.where(inside, np.float32(PROTEIN_V * thickness_A), np.float32(0))
    depth_A = stained(none_at_all(), stain, potential, VIEW.pixel_size_A).absorption * stain.mean_free_path_A
    return depth_A, inside


def test_there_is_none_unless_asked_for():
    assert StainSettings().probability == 0
    assert draw_stain(np.random.default_rng(0), VIEW, StainSettings()) is None


def test_stain_is_as_deep_as_asked_where_nothing_is():
    depth_A, inside = with_disc(100, depth_A=150)
    assert depth_A[0, 0] == pytest.approx(150, rel=1e-3)
    assert np.ptp(depth_A[distance_transform_edt(~inside) > 60]) < 0.1


def test_a_particle_is_bright_in_a_dark_rim():
    depth_A, inside = with_disc(120, depth_A=100, pooling=1.5, rim_A=25)
    rim = ~inside & (distance_transform_edt(~inside) <= 3)
    assert depth_A[150, 150] < depth_A[0, 0] + 100 * 1.5 - 100
    assert depth_A[rim].min() > depth_A[inside].max()
    assert depth_A[rim].min() > 1.2 * depth_A[0, 0]


def test_without_pooling_there_is_no_rim():
    depth_A, inside = with_disc(60, depth_A=100, pooling=0)
    assert np.allclose(depth_A[~inside], 100, rtol=1e-4)
    assert np.allclose(depth_A[inside], 40, rtol=1e-3)


def test_grains_are_as_rough_as_asked():
    depth_A, _ = with_disc(0, grain_contrast=0.1, grain_size_A=15)
    assert depth_A.std() / depth_A.mean() == pytest.approx(0.1, rel=0.1)


SEEN = ["stain.probability=1", "stain.balls.probability=0", "stain.unevenness=0", "ice.thickness_variation=0"]
LENS = ["microscope.defocus_A=5000", "exposure.contrast=1", "exposure.dose_e_per_A2=200"]


def profile(made):
    """Brightness at particles' centres and in their rims, over the median."""
    smooth = gaussian_filter(made.pixels, 1) / np.median(made.pixels)
    x, y = (made.scene.__dict__[name][made.scene.pickable] for name in ("x_px", "y_px"))
    rows, columns = np.indices(smooth.shape)
    away = np.min([np.hypot(rows - b, columns - a) for a, b in zip(x, y, strict=True)], axis=0)
    return smooth[away < 4].mean(), smooth[(away > 12) & (away < 17)].mean()


def test_particles_in_stain_are_brighter_than_their_rim_and_in_ice_darker():
    film = ["stain.depth_A=60", "stain.pooling=1.5", "stain.rim_A=30", "stain.mean_free_path_A=150"]
    centre, rim = profile(make(*SEEN, *LENS, *film))
    assert centre > rim + 0.04
    assert rim < 0.97
    centre, rim = profile(make(*LENS, "microscope.defocus_A=15000"))
    assert centre < rim


def test_balls_are_bright_contamination_and_no_particle_lies_on_them():
    made = make(*SEEN[:1], "stain.balls.probability=1", "stain.balls.number=20", "exposure.dose_e_per_A2=500")
    ball = made.junk == Junk.CONTAMINATION
    assert 0.02 < ball.mean() < 0.5
    assert np.array_equal(ball, made.mask)
    assert made.pixels[ball].mean() > 1.2 * made.pixels[~ball].mean()
    chosen = made.scene.pickable
    column, row = (np.rint(one[chosen]).astype(int) for one in (made.scene.x_px, made.scene.y_px))
    assert not ball[row, column].any()


def test_one_seed_one_stain():
    one, again, other = make(*SEEN[:1]), make(*SEEN[:1]), make(*SEEN[:1], "seed=1")
    assert one.pixels.tobytes() == again.pixels.tobytes()
    assert one.junk.tobytes() == again.junk.tobytes()
    assert not np.array_equal(one.pixels, other.pixels)


def test_half_the_micrographs_are_stained_if_asked():
    chance = fill(StainSettings, probability=0.5)
    drawn = [draw_stain(np.random.default_rng(seed), VIEW, chance) is not None for seed in range(60)]
    assert 18 < sum(drawn) < 42
