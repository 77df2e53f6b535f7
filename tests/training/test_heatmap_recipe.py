import dataclasses

import numpy as np
import pytest
import torch

from cryopick_ray.errors import UsageError
from cryopick_ray.simulate.phantom import make_phantom
from cryopick_ray.training.data.labelled import LabelledMicrograph, no_centres
from cryopick_ray.training.recipes.heatmap import HeatmapRecipe
from cryopick_ray.training.recipes.recipe import Slot


def recipe(**changes):
    return HeatmapRecipe(**{"base": 4, "crop_px": 96} | changes)


def dots(places, shape=(200, 243), sigma=2.0):
    y, x = np.indices(shape)
    image = sum(np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * sigma**2)) for u, v in places)
    return LabelledMicrograph("m", "d", np.asarray(image, np.float32), np.array(places, np.float32))


def drawn(it, labelled, count=64, seed=0):
    rng = np.random.default_rng(seed)
    return [it.example(labelled, Slot(index % 8, 8), rng) for index in range(count)]


@pytest.mark.parametrize("scale_jitter", [1.0, 1.3])
def test_peaks_are_painted_on_the_particles(scale_jitter):
    labelled = dots([(60.3, 50.6), (150.0, 120.0), (100, 33), (20, 180)])
    seen = 0
    for example in drawn(recipe(scale_jitter=scale_jitter), labelled):
        assert (example.image.shape, example.image.dtype) == ((96, 96), np.float32)
        assert (example.target.shape, example.target.dtype) == ((5, 48, 48), np.float32)
        assert (example.target[1] == 1).all()
        for row, column in np.argwhere(example.target[0] == 1):
            assert example.image[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].max() > 0.8
            seen += 1
        bright = np.argwhere(example.image[6:-6, 6:-6] > 0.8) + 6
        painted = np.argwhere(example.target[0] == 1) * 2 + 0.5
        for pixel in bright:
            assert np.abs(painted - pixel).max(1).min() < 3
    assert seen > 40


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.5])
def test_all_of_a_crop_is_told_how_large_its_particles_are(scale):
    """Enlarged by the view and by the crop: the distance between two particles shows it."""
    labelled = dots([(90, 90), (150, 90), (90, 150), (150, 150)])
    seen = set()
    for example in drawn(recipe(crop_px=160), dataclasses.replace(labelled, scale=scale), 40):
        (told,) = np.unique(example.target[2])
        at = np.argwhere(example.target[0] == 1) * 2.0
        apart = np.hypot(*(at[:, None] - at).T)
        if len(at) > 1:
            assert apart[apart > 0].min() * scale / 60 == pytest.approx(np.exp(told), rel=0.05)
            seen.add(round(float(told - np.log(scale)), 3))
    assert 0.0 in seen
    assert len(seen) > 10


@pytest.mark.parametrize("scale", [0.7, 1.5])
def test_peaks_and_unsure_places_are_as_much_larger_as_the_particles(scale):
    labelled = dataclasses.replace(dots([(60, 60)]), unsure=np.float32([[90, 60]]))
    it, areas = recipe(scale_jitter=1.0), []
    for usual, seen in zip(
        drawn(it, labelled, 20), drawn(it, dataclasses.replace(labelled, scale=scale), 20), strict=True
    ):
        both = (usual.target[0] > 0.01) & (seen.target[0] > 0.01)
        narrower = np.log(usual.target[0][both]) / scale**2
        np.testing.assert_allclose(np.log(seen.target[0][both]), narrower, atol=1e-3)
        lost = [int((example.target[1] == 0).sum()) for example in (usual, seen)]
        areas += [lost] if min(lost) > 15 and _within(usual) and _within(seen) else []
    assert len(areas) > 2
    np.testing.assert_allclose(*np.transpose(areas)[::-1] / [[scale**2], [1]], rtol=0.15)


def _within(example):
    """Tell whether what is not judged lies wholly in the crop."""
    judged = example.target[1]
    return judged[[0, -1]].all() and judged[:, [0, -1]].all()


def test_unsure_places_are_not_judged_and_all_others_are():
    labelled = dataclasses.replace(dots([(60, 60)]), particles=no_centres(), unsure=np.float32([[60, 60]]))
    it, some = recipe(scale_jitter=1.0, particle_px=24.0), 0
    for example in drawn(it, labelled):
        assert (example.target[0] == 0).all()
        assert set(np.unique(example.target[1])) <= {0.0, 1.0}
        ignored = np.argwhere(example.target[1] == 0) * 2 + 0.5
        top = np.unravel_index(example.image.argmax(), example.image.shape)
        if example.image.max() > 0.85 and all(14 < at < 81 for at in top):
            off = np.hypot(*(ignored - top).T)
            assert len(ignored) * 4 == pytest.approx(np.pi * 12**2, rel=0.1)  # a disc of the particle's size
            assert off.max() < 13.5
            some += 1
    assert some > 3


@pytest.mark.parametrize("shape", [(200, 243), (96, 97), (101, 150)])
def test_crops_lie_in_the_micrograph_where_there_is_room(shape):
    labelled = dots([(0, 0), (shape[1] - 1, shape[0] - 1)], shape)
    labelled = dataclasses.replace(
        labelled, image=np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    )
    for example in drawn(recipe(scale_jitter=1.0), labelled, 40):
        assert len(np.unique(example.image)) == 96 * 96  # nothing is mirrored


def test_a_micrograph_smaller_than_a_crop_can_be_learned_from():
    for example in drawn(recipe(), dots([(20, 30)], (40, 64)), 16):
        assert example.image.shape == (96, 96)
        assert (example.target[0] == 1).sum() == 1


def test_three_quarters_of_the_crops_are_near_particles():
    labelled = dots([(750, 750)], (1500, 1500))
    hits = [(example.target[0] > 0).any() for example in drawn(recipe(), labelled, 80)]
    assert 40 <= sum(hits) <= 62  # a particle up to half a crop off in a disc always lies in the crop
    empty = dataclasses.replace(labelled, particles=no_centres())
    assert not any((example.target[0] > 0).any() for example in drawn(recipe(), empty, 16))


def test_equal_generators_draw_equal_examples():
    labelled = dots([(60, 60), (150, 100)])
    for example, other in zip(drawn(recipe(), labelled, 8), drawn(recipe(), labelled, 8), strict=True):
        np.testing.assert_array_equal(example.image, other.image)
        np.testing.assert_array_equal(example.target, other.target)
    assert any(
        (example.image != drawn(recipe(), labelled, 1, seed=1)[0].image).any()
        for example in drawn(recipe(), labelled, 1)
    )


def test_the_rate_rises_then_falls_to_nothing():
    rates = [recipe().rate(epoch, 10, ()) for epoch in np.linspace(0, 10, 201)]
    top = int(np.argmax(rates))
    assert 0 < rates[0] < 0.05
    assert 0.95 < rates[top] <= 1
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()
    assert rates[-1] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "bad", [{"crop_px": 100}, {"crop_px": 0}, {"scale_jitter": 0.5}, {"scale_jitter": 3.0}]
)
def test_crops_that_cannot_be_are_refused(bad):
    with pytest.raises(UsageError, match=next(iter(bad))):
        recipe(**bad)


def test_a_short_training_lowers_the_loss_on_another_micrograph():
    it = recipe(batch=4, learning_rate=5e-3)
    found = []
    for seed in range(3):
        made = make_phantom(
            seed, shape=(256, 256), pixel_size_A=3.0, diameter_A=60.0, particles=25, signal_to_noise=2.0
        )
        centres = np.column_stack([made.x_px, made.y_px]).astype(np.float32)
        found.append(LabelledMicrograph(str(seed), "d", it.prepare(made.pixels), centres))

    def batch(labelled, seed):
        examples = drawn(it, labelled, 4, seed)
        images = torch.from_numpy(np.stack([example.image for example in examples]))[:, None]
        return images, torch.from_numpy(np.stack([example.target for example in examples]))

    torch.manual_seed(0)
    network = it.build().train()
    optimiser = it.optimiser(network, it.learning_rate)
    held_out, losses = batch(found[2], 10**6), []
    for step in range(30):
        images, targets = batch(found[step % 2], step)
        loss = it.loss(network(images), targets, 0)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    with torch.inference_mode():
        after = it.loss(network(held_out[0]), held_out[1], 0).item()
        before = it.loss(it.build().eval()(held_out[0]), held_out[1], 0).item()
    assert after < 0.7 * before


def test_labelled_particles_are_on_no_junk_and_of_the_rest_nothing_is_known():
    labelled = dots([(60, 60), (150, 100)])
    for example in drawn(recipe(), labelled, 16):
        near, junk = example.target[3] == 1, example.target[4]
        assert (junk[near] == 0).all()
        assert (junk[~near] == -1).all()
    codes = np.full(labelled.image.shape, 2, np.uint8)
    for example in drawn(recipe(), dataclasses.replace(labelled, junk=codes), 4):
        assert (example.target[4] == 2).all()
