import numpy as np
import pytest

from cryopick_ray.micrographs.junk import Junk
from cryopick_ray.settings.config import assigned
from cryopick_ray.simulate.contamination import KINDS
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.simulated_micrograph import simulate
from cryopick_ray.simulate.simulation_settings import simulation_settings

CLEAN = [f"contamination.{kind}.probability=0" for kind in KINDS]
CODES = {
    "carbon": Junk.CARBON,
    "crystalline": Junk.ICE,
    "lattice": Junk.LATTICE,
    "flakes": Junk.CONTAMINATION,
}


def make(*texts, number=0):
    data = {"molecules": ["ribosome-80s"], "height_px": 320, "width_px": 384, "pixel_size_A": 6.0}
    settings = simulation_settings(assigned(data, ["scene.packing=0.2", "scene.aggregates=0", *texts]))
    return simulate(settings, [load_molecule("ribosome-80s")], number)


def codes_at(made, chosen):
    column, row = (np.rint(one[chosen]).astype(int) for one in (made.scene.x_px, made.scene.y_px))
    return made.junk[row, column]


@pytest.mark.parametrize("kind", CODES)
def test_each_kind_is_told_and_only_a_lattice_leaves_particles_to_pick(kind):
    share = ["contamination.crystalline.share=0.5"] if kind == "crystalline" else []
    made = make(*CLEAN, f"contamination.{kind}.probability=1", "scene.density_on_contamination=1", *share)
    assert made.junk.dtype == np.uint8
    assert made.junk.shape == made.pixels.shape
    assert set(np.unique(made.junk)) <= {Junk.NONE, CODES[kind]}
    assert np.array_equal(made.mask, (made.junk != Junk.NONE) & (kind != "lattice"))
    picked_on = {Junk.LATTICE if kind == "lattice" else Junk.NONE}
    assert made.scene.pickable.sum() >= 5
    assert set(codes_at(made, made.scene.pickable)) == picked_on


def test_a_picture_full_of_bad_ice_has_no_truth_but_may_hold_particles():
    everywhere = ["contamination.crystalline.probability=1", "contamination.crystalline.share=2"]
    made = make(*CLEAN, *everywhere, "scene.density_on_contamination=0.5")
    assert np.all(made.junk == Junk.ICE)
    assert not made.scene.pickable.any()
    assert len(made.scene) >= 8


def test_members_of_clumps_are_told_and_single_particles_lie_beside():
    made = make(*CLEAN, "scene.aggregates=3", "scene.aggregate_particles=5", "scene.packing=0.05")
    member = made.scene.aggregate >= 0
    inside = (
        (made.scene.x_px >= 0) & (made.scene.x_px <= 383) & (made.scene.y_px >= 0) & (made.scene.y_px <= 319)
    )
    assert member.sum() == 15
    assert np.all(codes_at(made, member & inside) == Junk.AGGREGATE)
    assert np.all(codes_at(made, made.scene.pickable) == Junk.NONE)
    rows, columns = np.nonzero(made.junk == Junk.AGGREGATE)
    away = np.hypot(rows[:, None] - made.scene.y_px[member], columns[:, None] - made.scene.x_px[member])
    assert away.min(axis=1).max() <= load_molecule("ribosome-80s").diameter_A / 6 / 2
    assert not made.mask.any()


def test_clumps_on_a_lattice_are_told_and_streaked_borders_count_as_contamination():
    made = make(*CLEAN, "contamination.lattice.probability=1", "scene.aggregates=3", "exposure.streaks_px=10")
    assert set(np.unique(made.junk)) == {Junk.LATTICE, Junk.AGGREGATE, Junk.CONTAMINATION}
    assert np.array_equal(made.junk == Junk.CONTAMINATION, made.mask)
    assert np.all(made.junk[:10] == Junk.CONTAMINATION)
    assert not (made.junk[10:-10, 10:-10] == Junk.CONTAMINATION).any()


def test_seeds_show_what_they_showed_before_there_were_codes():
    """The numbers are from the simulator of before, with the same seed and settings."""
    names = ("ribosome-80s", "apoferritin")
    data = {"molecules": names, "height_px": 256, "width_px": 320, "pixel_size_A": 8.0}
    texts = ["carbon.probability=.5", "specks.probability=.8", "blobs.probability=.5"]
    texts = [f"contamination.{text}" for text in texts]
    texts += ["scene.aggregates=1,3", "exposure.streaks_px=0,20"]
    settings = simulation_settings(assigned(data, texts))
    made = simulate(settings, [load_molecule(name) for name in names], 3)
    before = [
        [2540.81, 2342.12, 2675.44],
        [2714.30, 2601.15, 2639.21],
        [2044.44, 2491.11, 2632.14],
        [2003.84, 1997.14, 2504.40],
    ]
    np.testing.assert_allclose(made.pixels[40::60, 50::90], before, rtol=1e-4)
    assert made.mask.sum() == 30958
    assert len(made.scene) == 37
    np.testing.assert_allclose(made.scene.x_px[:4], [40.447044, 52.380133, 212.921671, 181.876793], atol=1e-4)
