import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import UsageError
from cryopick_ray.simulate.phantom import make_phantom
from cryopick_ray.training.data.labelled import LabelledMicrograph, nowhere
from cryopick_ray.training.recipes.heatmap import HeatmapRecipe, junk_loss, near_loss, size_loss
from cryopick_ray.training.recipes.painted_peaks import focal_loss, paint, paint_discs
from cryopick_ray.training.recipes.recipe import Slot

PLACES = st.floats(-20, 84, width=32)


def recipe(**changes):
    return HeatmapRecipe(**{"base": 4, "crop_px": 96} | changes)


def dots(places, shape=(200, 243), sigma=2.0):
    y, x = np.indices(shape)
    image = sum(np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * sigma**2)) for u, v in places)
    return LabelledMicrograph("m", "d", np.asarray(image, np.float32), np.array(places, np.float32))


def cells(size=64):
    return np.arange(size // 2) * 2 + 0.5


@given(x=PLACES, y=PLACES)
def test_a_centre_is_painted_one_in_its_own_cell(x, y):
    peaks = paint(np.float32([[x, y]]), cells(), 1.8)
    assert peaks.shape == (32, 32)
    assert peaks.dtype == np.float32
    ones = np.argwhere(peaks == 1)
    if -0.5 <= x < 63.5 and -0.5 <= y < 63.5:
        assert ones.shape == (1, 2)
        row, column = ones[0]
        assert abs(cells()[column] - x) <= 1 + 1e-4
        assert abs(cells()[row] - y) <= 1 + 1e-4
        peaks[row, column] = 0
    else:
        assert not len(ones)
    away = np.hypot(cells()[:, None] - y, cells()[None] - x)
    expected = np.exp(-(away**2) / (2 * 1.8**2))
    if len(ones):
        expected[tuple(ones[0])] = 0
    np.testing.assert_allclose(peaks, expected, atol=4e-4)  # painted as far as four sigma


@given(st.lists(st.tuples(PLACES, PLACES), max_size=5))
def test_of_overlapping_peaks_the_highest_counts(places):
    together = paint(np.array(places, np.float32).reshape(-1, 2), cells(), 3.0)
    alone = [paint(np.float32([place]), cells(), 3.0) for place in places]
    np.testing.assert_array_equal(together, np.max(alone, axis=0) if alone else np.zeros((32, 32)))


@given(st.lists(st.tuples(PLACES, PLACES), min_size=1, max_size=4))
def test_painting_commutes_with_the_turns_of_a_square(places):
    centres = np.array(places, np.float32).astype(np.float64)
    whole = paint(centres, cells(), 2.0)
    on_edge = (np.abs((centres + 0.5) / 2 - np.rint((centres + 0.5) / 2)) < 1e-6).any()
    if on_edge:  # between two cells a centre belongs to one of them
        return
    np.testing.assert_allclose(paint(centres[:, ::-1], cells(), 2.0), whole.T, atol=4e-4)
    np.testing.assert_allclose(paint(63 - centres, cells(), 2.0), whole[::-1, ::-1], atol=4e-4)


def focal_by_hand(logits, peaks, weights):
    total, centres = 0.0, 0.0
    for g, y, w in zip(*(a.flatten().tolist() for a in (logits, peaks, weights)), strict=True):
        p = 1 / (1 + math.exp(-g))
        if y == 1:
            total += -w * (1 - p) ** 2 * math.log(p)
            centres += w
        else:
            total += -w * (1 - y) ** 4 * p**2 * math.log(1 - p)
    return total / max(centres, 1)


@given(seed=st.integers(0, 999), centres=st.integers(0, 6), judged=st.floats(0, 1))
def test_the_loss_is_that_of_the_paper(seed, centres, judged):
    rng = np.random.default_rng(seed)
    logits, peaks = rng.normal(0, 3, (2, 3, 4)), rng.uniform(0, 0.99, (2, 3, 4))
    peaks.flat[rng.permutation(24)[:centres]] = 1
    weights = (rng.uniform(size=(2, 3, 4)) < judged).astype(float)
    loss = focal_loss(*map(torch.from_numpy, (logits, peaks, weights)))
    assert loss.item() == pytest.approx(focal_by_hand(logits, peaks, weights), rel=1e-6, abs=1e-12)


def target_of(places, unsure=(), size=1.0):
    peaks = paint(np.array(places, np.float32).reshape(-1, 2), cells(), 1.8)
    weights = (paint(np.array(unsure, np.float32).reshape(-1, 2), cells(), 10.0) < math.exp(-0.5)).astype(
        np.float32
    )
    near = paint_discs(np.array(places, np.float32).reshape(-1, 2), cells(), 6.0).astype(np.float32)
    unknown = np.full_like(peaks, -1)
    return torch.from_numpy(np.stack([peaks, weights, np.full_like(peaks, np.log(size)), near, unknown]))[
        None
    ]


def answer_of(logits, size=1.0):
    """Return what a model answers that knows neither nearness nor junk."""
    return torch.cat([logits, torch.full_like(logits, float(np.log(size)))], dim=1)


def test_a_full_model_learns_nearness_and_junk_too():
    target = target_of([(20.2, 31.4), (50, 8)])
    target[:, 4] = 3
    centres = torch.where(target[:, :1] == 1, 40.0, -40.0)
    near = torch.where(target[:, 3:4] == 1, 40.0, -40.0)
    junk = torch.full((1, 6, 32, 32), -40.0)
    junk[:, 3] = 40
    sizes = torch.zeros_like(near)
    perfect = [answer_of(centres)[:, :1], sizes, near, junk]
    it = recipe()
    assert it.loss(torch.cat(perfect, 1), target, 0).item() < 1e-10
    for wrong in (2, 3):
        others = [part if at != wrong else -part for at, part in enumerate(perfect)]
        assert it.loss(torch.cat(others, 1), target, 0).item() > 5
    target[:, 4] = -1  # nobody said what lies there
    assert it.loss(torch.cat([*perfect[:3], -junk], 1), target, 0).item() < 1e-10


def test_the_loss_of_nearness_is_least_at_the_share_that_is_near():
    near = torch.zeros(1, 10, 10)
    near[0, :3] = 1
    guesses = torch.linspace(0.05, 0.95, 19)
    losses = [near_loss(torch.logit(torch.full_like(near, p)), near, torch.ones_like(near)) for p in guesses]
    assert guesses[int(np.argmin(losses))] == pytest.approx(0.3, abs=1e-6)


def test_junk_is_judged_where_it_is_known_alone():
    codes = torch.tensor([[[-1.0, 0, 6], [2, 5, -1]]])
    logits = torch.randn(1, 6, 2, 3, generator=torch.Generator().manual_seed(1))
    known = [(0, 1, 0), (1, 0, 2), (1, 1, 5)]
    by_hand = np.mean([-torch.log_softmax(logits[0, :, y, x], 0)[kind].item() for y, x, kind in known])
    assert junk_loss(logits, codes, torch.ones_like(codes)).item() == pytest.approx(by_hand, rel=1e-5)
    assert junk_loss(logits, torch.full_like(codes, -1), torch.ones_like(codes)).item() == 0


@given(st.lists(st.tuples(PLACES, PLACES), max_size=4), st.floats(1, 12))
def test_discs_hold_the_cells_within_their_radius(places, radius_px):
    marks = paint_discs(np.array(places, np.float32).reshape(-1, 2), cells(), radius_px)
    away = [np.hypot(cells()[:, None] - y, cells()[None] - x) <= radius_px for x, y in places]
    np.testing.assert_array_equal(marks, np.any(away, axis=0) if places else np.zeros((32, 32), bool))


def test_perfect_answers_cost_nothing_and_certain_errors_much():
    target = target_of([(20.2, 31.4), (50, 8)])
    perfect = torch.where(target[:, :1] == 1, 40.0, -40.0)
    assert recipe().loss(answer_of(perfect), target, 0).item() < 1e-12
    assert recipe().loss(answer_of(-perfect), target, 0).item() > 40
    assert torch.isfinite(recipe().loss(answer_of(perfect * 1e4), target, 0))
    assert recipe().loss(answer_of(torch.full_like(perfect, -40)), target_of([]), 0).item() < 1e-12


def test_a_size_costs_half_its_logarithmic_error_and_at_centres_alone():
    target = target_of([(20.2, 31.4), (50, 8)], size=1.5)
    perfect = torch.where(target[:, :1] == 1, 40.0, -40.0)
    for guess in (1.0, 1.5, 3.0):
        loss = recipe().loss(answer_of(perfect, guess), target, 0).item()
        assert loss == pytest.approx(abs(np.log(guess / 1.5)) / 2, abs=1e-6)
    elsewhere = answer_of(perfect, 1.5)
    elsewhere[:, 1][target[:, 0] != 1] = 9.0
    assert recipe().loss(elsewhere, target, 0).item() < 1e-6
    assert size_loss(elsewhere[:, 1], target[:, 2], torch.zeros_like(target[:, 2])).item() == 0


def test_answers_at_unsure_places_do_not_matter():
    target = target_of([(12, 12)], unsure=[(45, 45)])
    logits = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    other = logits.clone()
    near = torch.from_numpy(np.hypot(cells()[:, None] - 45, cells()[None] - 45) < 10 - 1e-3)
    other[0, 0, near] += 7
    it = recipe()
    assert it.loss(answer_of(logits), target, 0) == it.loss(answer_of(other), target, 0)
    other[0, 0, 2, 28] += 7
    assert it.loss(answer_of(logits), target, 0) < it.loss(answer_of(other), target, 0)


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
    one = dataclasses.replace(dots([(60, 60)]), unsure=np.float32([[90, 60]]))
    it, areas = recipe(scale_jitter=1.0), []
    for usual, seen in zip(
        drawn(it, one, 20), drawn(it, dataclasses.replace(one, scale=scale), 20), strict=True
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
    labelled = dataclasses.replace(dots([(60, 60)]), particles=nowhere(), unsure=np.float32([[60, 60]]))
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
    empty = dataclasses.replace(labelled, particles=nowhere())
    assert not any((example.target[0] > 0).any() for example in drawn(recipe(), empty, 16))


def test_equal_generators_draw_equal_examples():
    labelled = dots([(60, 60), (150, 100)])
    for one, other in zip(drawn(recipe(), labelled, 8), drawn(recipe(), labelled, 8), strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.target, other.target)
    assert any(
        (one.image != drawn(recipe(), labelled, 1, seed=1)[0].image).any()
        for one in drawn(recipe(), labelled, 1)
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
