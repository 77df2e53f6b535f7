import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cryopick_ray.errors import UsageError
from cryopick_ray.settings.config import assigned
from cryopick_ray.simulate.contamination import KINDS
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.simulated_micrograph import check, simulate
from cryopick_ray.simulate.simulation_settings import simulation_settings

CLEAN = [f"contamination.{kind}.probability=0" for kind in KINDS]
WHOLE = ["scene.aggregates=0", "scene.broken_fraction=0"]


def plan(*texts, molecules=("ribosome-80s",)):
    data = {"molecules": molecules, "height_px": 320, "width_px": 384, "pixel_size_A": 5.0}
    return simulation_settings(assigned(data, ["scene.particles=12", *texts]))


def make(settings, number=0):
    return simulate(settings, [load_molecule(name) for name in settings.molecules], number)


def test_particles_are_darker_than_the_ice():
    made = make(plan(*CLEAN, *WHOLE, "exposure.dose_e_per_A2=200"))
    x, y = (made.scene.__dict__[name][made.scene.pickable].round().astype(int) for name in ("x_px", "y_px"))
    smooth = gaussian_filter(made.pixels, 4)
    assert len(x) == 12
    assert np.all(smooth[y, x] < np.median(smooth))


def test_a_micrograph_is_the_same_whatever_else_is_made_and_another_is_another():
    two, hundred = plan("micrographs=2"), plan("micrographs=100")
    one = make(two, 1)
    assert np.array_equal(one.pixels, make(hundred, 1).pixels)
    assert not np.array_equal(one.pixels, make(two, 0).pixels)
    assert not np.array_equal(one.pixels, make(plan("seed=1"), 1).pixels)


def test_pixels_are_finite_electrons_of_the_dose():
    settings = plan(*CLEAN, "exposure.dose_e_per_A2=50", "ice.thickness_A=350", "ice.mean_free_path_A=3500")
    made = make(settings)
    assert made.pixels.dtype == np.float32
    assert made.pixels.shape == made.mask.shape == (320, 384)
    assert np.isfinite(made.pixels).all()
    assert made.pixels.mean() == pytest.approx(50 * 25 * np.exp(-0.1), rel=0.1)


def test_under_thick_contamination_electrons_are_still_counted():
    thick = ["contamination.carbon.probability=1", "contamination.gold.probability=1"]
    made = make(plan(*thick, "contamination.coherent_A=1000", "exposure.dose_e_per_A2=1000"))
    assert made.mask.any()
    assert np.isfinite(made.pixels).all()
    assert made.pixels.min() > -1e-3 * made.pixels.mean()  # the camera's blur rings a little


def test_no_defocus_and_no_phase_plate_leave_little_contrast():
    def contrast(*texts):
        made = make(plan(*CLEAN, *WHOLE, *texts, "ice.noise_rad2_A2=0", "ice.thickness_variation=0"))
        return gaussian_filter(made.pixels / made.pixels.mean(), 3).std()

    in_focus = contrast("microscope.defocus_A=1", "microscope.amplitude_contrast=0")
    assert contrast("microscope.defocus_A=2e4") > 3 * in_focus


def test_a_mixture_holds_its_shares():
    names = ("ribosome-80s", "apoferritin", "p97")
    made = make(plan(*CLEAN, *WHOLE, "scene.mixture=[1, 2, 0]", molecules=names))
    chosen = made.scene.molecule[made.scene.pickable]
    assert np.array_equal(np.bincount(chosen, minlength=3), [4, 8, 0])


def test_preferred_orientation_narrows_the_views():
    def spread_deg(text):
        views = make(plan(*CLEAN, *WHOLE, text)).rotations[:, 2]
        return np.rad2deg(np.arccos(np.clip(views @ views.T, -1, 1))).max()

    assert spread_deg("preferred_spread_deg=3") < 30
    assert spread_deg("preferred_spread_deg=0") > 90


@pytest.mark.parametrize("name", ["aggregates=5", "broken_fraction=1", "particles=12"])
def test_an_empty_micrograph_holds_no_particle_of_any_kind(name):
    made = make(plan("scene.empty_probability=1", f"scene.{name}"))
    assert (len(made.scene), len(made.rotations)) == (0, 0)
    assert made.pixels.std() > 0


def test_particles_larger_than_the_micrograph_and_fragments_over_the_edge_do_no_harm():
    made = make(
        plan(
            "height_px=128",
            "width_px=130",
            "scene.broken_fraction=1",
            "pixel_size_A=1.5",
            "scene.particles=1",
            "microscope.defocus_A=2000",
        )
    )
    assert np.isfinite(made.pixels).all()


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["scene.particles=5000"], "5000 particles do not fit"),
        (["scene.particles=null", "scene.packing=0,0.95"], "do not fit"),
        (["scene.mixture=1,2"], "mixture"),
        (["height_px=64", "pixel_size_A=1", "scene.particles=1"], "too few for the fringes"),
        (["pixel_size_A=0.1", "height_px=16384", "width_px=16384"], ""),
    ],
)
def test_what_no_micrograph_could_hold_is_refused_before_any_is_made(texts, words):
    settings = plan(*texts)
    molecules = [load_molecule(name) for name in settings.molecules]
    if words:
        with pytest.raises(UsageError, match=words):
            check(settings, molecules)
    else:
        check(settings, molecules)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("exposure.dose_e_per_A2=-5", "-5"),
        ("exposure.dose_e_per_A2=5000", "1000"),
        ("exposure.mtf_nyquist=0.99", "MTF 0.99"),
        ("ice.noise_slope=9", "slope 9"),
        ("microscope.defocus_A=2e4,1e4", "low <= high"),
        ("microscope.defocus_A=5e5", "200000"),
        ("microscope.b_factor_A2=1e5", "10000"),
        ("microscope.drift_A=1e5", "1000"),
        ("microscope.nothing=1", "expected one of voltage_kV, "),
        ("contamination.gold.nothing=1", "expected one of probability, "),
        ("nothing=1", "expected one of molecules, "),
        ("pixel_size_A=nan", "`pixel_size_A` is nan"),
        ("seed", "expected NAME=VALUE"),
        ("seed=[", "YAML"),
        ("scene.particles.x=1", "holds no other settings"),
    ],
)
def test_wrong_settings_are_named_with_what_is_allowed(text, words):
    with pytest.raises(UsageError, match=words.replace(".", r"\.")):
        plan(text)


def test_one_value_of_a_group_leaves_the_others_at_their_defaults():
    default, changed = plan(), plan("contamination.gold.probability=0", "ice.thickness_A=1e2")
    assert changed.ice.thickness_A == (100, 100)
    gold = default.contamination.gold.model_copy(update={"probability": 0})
    assert changed.contamination == default.contamination.model_copy(update={"gold": gold})
