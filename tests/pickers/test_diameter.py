from contextlib import suppress

import numpy as np
import pytest

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.catalogue import load_picker
from cryopick_ray.pickers.heatmap.diameter import estimate_diameter
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.micrograph import simulate
from cryopick_ray.simulate.settings import simulation_settings

PIXEL_SIZE_A = 4.0


@pytest.fixture(scope="module")
def picker():
    return load_picker(DEFAULT_MODEL, particle_px=None, device="cpu", exact=True)


def micrograph(name, diameter_px=40):
    """Return a clean simulated micrograph, its pixel size and the molecule's diameter."""
    molecule = load_molecule(name)
    pixel_size_A = molecule.diameter_A / diameter_px
    clean = {
        kind: {"probability": 0} for kind in ("carbon", "gold", "crystals", "blobs", "specks", "scratches")
    }
    settings = simulation_settings(
        {
            "molecules": [name],
            "micrographs": 1,
            "height_px": 640,
            "width_px": 704,
            "pixel_size_A": pixel_size_A,
            "scene": {"packing": 0.2, "aggregates": 0},
            "contamination": clean,
        }
    )
    return simulate(settings, [molecule], 0).pixels, pixel_size_A, molecule.diameter_A


@pytest.mark.parametrize("name", ["p97", "clpb", "ribosome-70s", "antibody"])
def test_a_molecule_has_nearly_its_own_diameter(picker, name):
    pixels, pixel_size_A, diameter_A = micrograph(name)
    found = estimate_diameter([pixels], [pixel_size_A], picker)
    assert found.diameter_A == pytest.approx(diameter_A, rel=0.2)  # one micrograph; the suite measures more
    assert found.particles > 20
    assert len(found.tried_A) == len(found.evidence)
    nearest = np.abs(np.log(np.array(found.tried_A) / diameter_A)).argmin()
    assert abs(int(np.argmax(found.evidence)) - int(nearest)) <= 1


def test_other_pixels_make_another_diameter(picker):
    """A picture knows no angstroms: whoever says the pixels are larger says so of the particles."""
    pixels, pixel_size_A, _ = micrograph("p97")
    one = estimate_diameter([pixels], [pixel_size_A], picker)
    other = estimate_diameter([pixels], [1.6 * pixel_size_A], picker)
    assert other.diameter_A == pytest.approx(1.6 * one.diameter_A, rel=0.06)


def test_several_micrographs_are_looked_at_together(picker):
    pixels, pixel_size_A, _ = micrograph("p97")
    alone = estimate_diameter([pixels], [pixel_size_A], picker)
    blank = np.zeros((500, 500), np.float32)
    both = estimate_diameter([pixels, pixels, blank], [pixel_size_A] * 3, picker)
    assert both.diameter_A == pytest.approx(alone.diameter_A, rel=1e-4)
    assert both.particles == 2 * alone.particles


def test_nothing_to_see_is_said(picker):
    with pytest.raises(UsageError, match="fewer than 10 particles were found"):
        estimate_diameter([np.zeros((400, 400), np.float32)], [PIXEL_SIZE_A], picker)
    with pytest.raises(UsageError, match="fewer than 10 particles were found"):
        estimate_diameter(
            [np.random.default_rng(0).normal(size=(32, 32)).astype("f4")], [PIXEL_SIZE_A], picker
        )


def test_a_guess_is_called_one(picker):
    pixels, pixel_size_A, _ = micrograph("p97")
    assert estimate_diameter([pixels], [pixel_size_A], picker).is_sure
    noise = np.random.default_rng(0).normal(size=(900, 900)).astype(np.float32)
    with suppress(UsageError):  # as good: nothing at all was found
        assert not estimate_diameter([noise], [PIXEL_SIZE_A], picker).is_sure
