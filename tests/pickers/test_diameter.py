import numpy as np
import pytest
import torch

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.pickers.catalogue import load_picker
from cryopick_ray.pickers.heatmap.diameter import ALTERNATIVES, APART, Answer, ask, ladder, weigh
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.micrograph import simulate
from cryopick_ray.simulate.settings import simulation_settings

PIXEL_SIZE_A = 4.0


@pytest.fixture(scope="module")
def picker():
    torch.set_num_threads(1)  # two on a busy machine wait for each other
    return load_picker(DEFAULT_MODEL, particle_px=None, device="cpu", exact=True)


def estimate(images, pixel_sizes_A, picker):
    pairs = zip(images, pixel_sizes_A, strict=True)
    return weigh([ask(image, pixel_size_A, picker, ladder()) for image, pixel_size_A in pairs])


def micrograph(name, diameter_px=40, **scene):
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
            "scene": {"packing": 0.2, "aggregates": 0, **scene},
            "contamination": clean,
        }
    )
    return simulate(settings, [molecule], 0).pixels, pixel_size_A, molecule.diameter_A


@pytest.mark.parametrize("name", ["p97", "clpb", "ribosome-70s", "antibody"])
def test_a_molecule_has_nearly_its_own_diameter(picker, name):
    pixels, pixel_size_A, diameter_A = micrograph(name)
    found = estimate([pixels], [pixel_size_A], picker)
    assert found.diameter_A == pytest.approx(diameter_A, rel=0.2)  # one micrograph; the suite measures more
    assert found.is_sure
    assert found.particles > 20
    assert len(found.tried_A) == len(found.evidence)
    nearest = np.abs(np.log(np.array(found.tried_A) / diameter_A)).argmin()
    assert abs(int(np.argmax(found.evidence)) - int(nearest)) <= 1


def test_other_pixels_make_another_diameter(picker):
    """A picture knows no angstroms: whoever says the pixels are larger says so of the particles."""
    pixels, pixel_size_A, _ = micrograph("p97")
    one = estimate([pixels], [pixel_size_A], picker)
    other = estimate([pixels], [1.6 * pixel_size_A], picker)
    assert other.diameter_A == pytest.approx(1.6 * one.diameter_A, rel=0.06)


def test_several_micrographs_are_looked_at_together(picker):
    pixels, pixel_size_A, _ = micrograph("p97")
    alone = estimate([pixels], [pixel_size_A], picker)
    blank = np.zeros((500, 500), np.float32)
    both = estimate([pixels, pixels, blank], [pixel_size_A] * 3, picker)
    assert both.diameter_A == pytest.approx(alone.diameter_A, rel=1e-4)
    assert both.particles == pytest.approx(2 * alone.particles, abs=1)


@pytest.mark.parametrize("name", ["ribosome-70s", "p97"])
def test_fewer_particles_than_make_it_sure_are_a_guess_that_names_the_diameter(picker, name):
    pixels, pixel_size_A, diameter_A = micrograph(name, particles=4)
    found = estimate([pixels], [pixel_size_A], picker)
    assert not found.is_sure
    named = (found.diameter_A, *found.alternatives_A)
    assert min(abs(one_A / diameter_A - 1) for one_A in named) < 0.25


def test_particles_are_found_in_three_times_as_much_noise(picker):
    pixels, pixel_size_A, diameter_A = micrograph("ribosome-70s")
    noise = np.random.default_rng(0).normal(size=pixels.shape) * pixels.std() * 8**0.5
    found = estimate([(pixels + noise).astype(np.float32)], [pixel_size_A], picker)
    assert found.diameter_A == pytest.approx(diameter_A, rel=0.25)


def test_noise_is_a_guess_with_other_diameters_beside_it(picker):
    noise = np.random.default_rng(0).normal(size=(900, 900)).astype(np.float32)
    found = estimate([noise], [PIXEL_SIZE_A], picker)
    assert not found.is_sure
    assert len(found.alternatives_A) == ALTERNATIVES
    named = np.sort([found.diameter_A, *found.alternatives_A])
    assert (named[1:] / named[:-1] > APART - 1e-6).all()


@pytest.mark.parametrize("side_px", [400, 32])
def test_where_nothing_at_all_is_seen_there_is_no_estimate(picker, side_px):
    """Of one grey value, or smaller than five of the smallest particles."""
    noise = np.random.default_rng(0).normal(size=(side_px, side_px)).astype(np.float32)
    assert estimate([noise if side_px < 50 else 0 * noise], [PIXEL_SIZE_A], picker) is None


def seen(diameter_A, score, size, count):
    return Answer(diameter_A, np.full(count, score, np.float32), np.full(count, size, np.float32), 1e8)


def test_the_diameter_lies_between_the_ones_where_particles_seem_too_large_and_too_small():
    rest = [seen(tried_A, 0.05, 0.75, 500) for tried_A in (60, 72, 86, 180, 216, 260)]
    found = weigh([[*rest, seen(100, 0.8, 1.1, 50), seen(121, 0.8, 1 / 1.1, 50)]])
    assert found.diameter_A == pytest.approx(110, rel=1e-3)
    assert (found.is_sure, found.particles) == (True, 50)
    assert found.tried_A == tuple(sorted(found.tried_A))


def test_nine_sure_picks_outweigh_thousands_of_doubtful_ones():
    doubtful = [seen(tried_A, 0.1, 1.0, 2000) for tried_A in (60, 72, 86)]
    few = [seen(600, 0.7, 1.1, 9), seen(720, 0.7, 0.9, 9)]
    found = weigh([[*doubtful, *few]])
    assert 600 < found.diameter_A < 720
    assert not found.is_sure
    assert weigh([]) is None
