"""Polarity is settled by what a network sees in an image and in its negative."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray import DEFAULT_MODEL
from cryopick_ray.pickers.catalogue import load_picker
from cryopick_ray.pickers.heatmap.polarity import are_bright, evidence, judge_for, pick_settled, rule
from cryopick_ray.simulate.library import load_molecule
from cryopick_ray.simulate.simulated_micrograph import simulate
from cryopick_ray.simulate.simulation_settings import simulation_settings

MOLECULES = ("apoferritin", "antibody", "ribosome-70s")
"""A shell, whose middle is bright where the particle is dark; a thin one; a plain one."""
MODELS = (DEFAULT_MODEL, "log", "deepem-general")


def micrographs(name, picker, seed, **more):
    """Return two micrographs of a molecule at a picker's scale."""
    molecule = load_molecule(name)
    settings = simulation_settings(
        {
            "molecules": [name],
            "micrographs": 2,
            "seed": seed,
            "height_px": round(17 * picker.particle_px),
            "width_px": round(20 * picker.particle_px),
            "pixel_size_A": molecule.diameter_A / picker.particle_px,
            "scene": {"packing": 0.15},
            **more,
        }
    )
    pixels = np.stack([simulate(settings, [molecule], index).pixels for index in range(2)])
    return torch.from_numpy(pixels - pixels.mean()).float()


@pytest.fixture(scope="module", params=MODELS)
def picker(request):
    torch.set_num_threads(1)
    return load_picker(request.param, particle_px=None, device="cpu", precision="float32")


def settled(picker, images):
    with torch.inference_mode():
        return pick_settled(picker, judge_for(picker), images)


def equal(one, other):
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("x", "y", "score"))


@pytest.mark.parametrize("name", MOLECULES)
def test_a_negative_gives_the_picks_of_the_micrograph_and_both_may_come_together(picker, name):
    dark = micrographs(name, picker, seed=3)
    as_is, negative = settled(picker, dark), settled(picker, -dark)
    assert [bright for _, bright in as_is] == [False, False]
    assert [bright for _, bright in negative] == [True, True]
    with torch.inference_mode():
        alone = [picker.pick_many(one[None])[0] for one in dark]
    for one, (found, _), (other, _) in zip(alone, as_is, negative, strict=True):
        assert equal(one, found)
        assert equal(found, other)
    mixed = settled(picker, torch.stack([dark[0], -dark[1]]))
    assert [bright for _, bright in mixed] == [False, True]
    assert all(equal(one, found) for one, (found, _) in zip(alone, mixed, strict=True))


def test_where_there_are_no_particles_the_image_is_picked_as_it_is(picker):
    empty = micrographs("apoferritin", picker, seed=5, scene={"particles": [0, 0]})
    noise = torch.from_numpy(np.random.default_rng(1).normal(size=empty.shape).astype(np.float32))
    for images in (empty, -empty, noise):
        for image, (found, bright) in zip(images, settled(picker, images), strict=True):
            assert not bright
            with torch.inference_mode():
                assert equal(found, picker.pick_many(image[None])[0])


def test_what_the_judge_cannot_look_at_is_picked_as_it_is():
    log = load_picker("log", particle_px=None, device="cpu")
    image = np.zeros((600, 600), np.float32)
    image[:60] = np.random.default_rng(1).normal(size=(60, 600))
    [(found, bright)] = settled(log, torch.from_numpy(image)[None])
    assert not bright
    assert len(found) > 0


def test_a_heat_map_network_is_its_own_judge_and_the_rule_names_another():
    heatmap, log = (load_picker(name, particle_px=None, device="cpu") for name in (DEFAULT_MODEL, "log"))
    assert judge_for(heatmap) is heatmap
    assert rule(heatmap)["judge"] == "itself"
    assert rule(log)["judge"]["weights"] == heatmap.settings()["weights"]


scores = st.lists(st.floats(0, 1, width=32), max_size=30).map(lambda values: np.array(values, np.float32))


@given(scores, scores, st.floats(1, 1e6))
def test_both_polarities_are_never_bright_and_nothing_is_dark(one, other, squares):
    a, b = evidence(one, squares), evidence(other, squares)
    assert not (are_bright(a, b) and are_bright(b, a))
    assert not are_bright(a, 0.0)
    assert evidence(np.concatenate([one, other]), squares) == pytest.approx(a + b)
