from functools import cache

import numpy as np
import pytest
import torch

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.pickers.catalogue import load_picker
from cryopick_ray.pickers.heatmap.diameter import (
    ALTERNATIVES,
    APART,
    MANY,
    DiameterTrial,
    is_clear,
    is_steady,
    ladder,
    weigh,
)
from cryopick_ray.pickers.heatmap.diameter_search import QUICK, THOROUGH, DiameterSearch
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.simulated_micrograph import simulate
from cryopick_ray.simulate.simulation_settings import simulation_settings

PIXEL_SIZE_A = 4.0


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Two on a busy machine wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def exact():
    """The picker that a run asks."""
    return load_picker(DEFAULT_MODEL, particle_px=None, device="cpu", exact=True)


@pytest.fixture(scope="module")
def picker():
    """The same at twice the speed, for laws of the search, which hold for any."""
    return load_picker(DEFAULT_MODEL, particle_px=None, device="cpu")


def estimate(*looks):
    return weigh([look.answers("no", THOROUGH)[0] for look in looks])


@pytest.fixture(scope="module")
def look(picker):
    """Make a search, once for each molecule: it remembers its answers."""
    return cache(lambda name: DiameterSearch(*micrograph(name)[:2], picker))


@cache
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
def test_a_molecule_has_nearly_its_own_diameter(exact, name):
    pixels, pixel_size_A, diameter_A = micrograph(name)
    found = estimate(DiameterSearch(pixels, pixel_size_A, exact))
    assert found.diameter_A == pytest.approx(diameter_A, rel=0.2)  # one micrograph; the suite measures more
    assert found.is_sure
    assert found.particles > 20
    assert len(found.tried_A) == len(found.evidence)
    nearest = np.abs(np.log(np.array(found.tried_A) / diameter_A)).argmin()
    assert abs(int(np.argmax(found.evidence)) - int(nearest)) <= 1


@pytest.mark.parametrize("name", ["p97", "ribosome-70s"])
def test_a_quick_look_tells_what_all_of_a_thorough_one_do(picker, name):
    pixels, pixel_size_A, _ = micrograph(name, diameter_px=24)
    look = DiameterSearch(pixels, pixel_size_A, picker)
    every = weigh([look.answers("no", THOROUGH)[0]])
    assert every == weigh([look.ask(ladder(), THOROUGH.fine)])
    quick = weigh([look.answers("no", QUICK)[0]])
    assert quick.diameter_A == pytest.approx(every.diameter_A, rel=0.02)
    assert is_clear(quick)
    assert len(quick.tried_A) <= len(every.tried_A) / 2 + 2
    assert quick.particles <= every.particles


@pytest.mark.parametrize("sign", [1, -1])
def test_one_polarity_is_looked_at_and_told(picker, look, sign):
    pixels, pixel_size_A, _ = micrograph("p97")
    answers, inverted = DiameterSearch(sign * pixels, pixel_size_A, picker).answers("auto", QUICK)
    assert inverted is (sign < 0)
    same, _ = look("p97").answers("no", QUICK)
    assert weigh([answers]) == weigh([same])


def test_what_was_asked_is_not_asked_again(picker, monkeypatch):
    pixels, pixel_size_A, _ = micrograph("p97", diameter_px=48)
    look = DiameterSearch(pixels, pixel_size_A, picker)
    first, _ = look.answers("no", THOROUGH)
    monkeypatch.setattr(picker, "pick_sized", None)
    again, _ = look.answers("no", THOROUGH)
    assert all(trial is other for trial, other in zip(first, again, strict=True))


def test_other_pixels_make_another_diameter(picker, look):
    """A picture knows no angstroms: whoever says the pixels are larger says so of the particles."""
    pixels, pixel_size_A, _ = micrograph("p97")
    other = estimate(DiameterSearch(pixels, 1.6 * pixel_size_A, picker))
    assert other.diameter_A == pytest.approx(1.6 * estimate(look("p97")).diameter_A, rel=0.06)


def test_several_micrographs_are_looked_at_together(picker, look):
    alone = estimate(look("p97"))
    blank = DiameterSearch(np.zeros((500, 500), np.float32), micrograph("p97")[1], picker)
    both = estimate(look("p97"), look("p97"), blank)
    assert both.diameter_A == pytest.approx(alone.diameter_A, rel=1e-4)
    assert both.particles == pytest.approx(2 * alone.particles, abs=1)


@pytest.mark.parametrize("name", ["ribosome-70s", "p97"])
def test_fewer_particles_than_make_it_sure_are_a_guess_that_names_the_diameter(picker, name):
    pixels, pixel_size_A, diameter_A = micrograph(name, particles=4)
    found = estimate(DiameterSearch(pixels, pixel_size_A, picker))
    assert not found.is_sure
    named = (found.diameter_A, *found.alternatives_A)
    assert min(abs(one_A / diameter_A - 1) for one_A in named) < 0.25


def test_particles_are_found_in_three_times_as_much_noise(picker):
    pixels, pixel_size_A, diameter_A = micrograph("ribosome-70s")
    noise = np.random.default_rng(0).normal(size=pixels.shape) * pixels.std() * 8**0.5
    found = estimate(DiameterSearch((pixels + noise).astype(np.float32), pixel_size_A, picker))
    assert found.diameter_A == pytest.approx(diameter_A, rel=0.25)


def test_noise_is_a_guess_with_other_diameters_beside_it(picker):
    noise = np.random.default_rng(0).normal(size=(640, 640)).astype(np.float32)
    found = estimate(DiameterSearch(noise, PIXEL_SIZE_A, picker))
    assert not found.is_sure
    assert len(found.alternatives_A) == ALTERNATIVES
    named = np.sort([found.diameter_A, *found.alternatives_A])
    assert (named[1:] / named[:-1] > APART - 1e-6).all()


@pytest.mark.parametrize("side_px", [400, 32])
def test_where_nothing_at_all_is_seen_there_is_no_estimate(picker, side_px):
    """Of one grey value, or smaller than five of the smallest particles."""
    noise = np.random.default_rng(0).normal(size=(side_px, side_px)).astype(np.float32)
    assert estimate(DiameterSearch(noise if side_px < 50 else 0 * noise, PIXEL_SIZE_A, picker)) is None


def seen(diameter_A, score, size, count):
    return DiameterTrial(diameter_A, np.full(count, score, np.float32), np.full(count, size, np.float32), 1e8)


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


def told(diameter_A, count):
    """Return what a micrograph shows that has so many particles of one size."""
    rest = [seen(tried_A, 0.05, 0.75, 500) for tried_A in (60, 72, 86, 180, 216, 260)]
    return [*rest, seen(100, 0.8, diameter_A / 100, count), seen(121, 0.8, diameter_A / 121, count)]


def test_many_particles_that_stand_out_need_no_thorough_look():
    assert is_clear(weigh([told(110, MANY)]))
    assert not is_clear(weigh([told(110, MANY - 1)]))
    assert weigh([told(110, MANY - 1)]).is_sure
    junk = [seen(tried_A, 0.8, 0.9, 5) for tried_A in (60, 72, 86, 180, 216, 260)]
    crowd = [*junk, seen(100, 0.8, 1.1, 99), seen(121, 0.8, 1 / 1.1, 99)]
    assert not is_clear(weigh([crowd]))
    assert not is_clear(None)


def test_micrographs_that_differ_are_not_enough():
    assert is_steady([told(110, 60), told(111, 60), told(109, 60)])
    assert not is_steady([told(110, 60), told(118, 60), told(103, 60)])
    assert not is_steady([told(110, 60)])
    assert not is_steady([])
