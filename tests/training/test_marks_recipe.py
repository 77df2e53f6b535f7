"""Marks are learned, everything else is held: on a real network and real steps."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_heatmap_recipe import dots

from cryopick_ray.pickers.heatmap.networks import CENTRE, MOST, NEAR, HeatmapNetwork
from cryopick_ray.training.recipes.marks import HeldNetwork, MarksRecipe, doubled, held_loss, learnt
from cryopick_ray.training.recipes.recipe import Slot

RECIPE = MarksRecipe(base=4, particle_px=16.0, crop_px=64)
PLACES = [(40.0, 40.0), (100.0, 60.0), (150.0, 150.0), (60.0, 150.0)]


@pytest.fixture
def micrograph():
    """Three dark dots and a wider one: two are marked as particles, the wide one as wrong, one is not."""
    made = dots([PLACES[0], PLACES[1], PLACES[3]], sigma=4.0)
    wide = dots(PLACES[2:3], sigma=9.0)
    noise = np.random.default_rng(0).normal(0, 0.3, made.image.shape).astype(np.float32)
    return replace(
        made,
        image=RECIPE.prepare(noise - 3 * (made.image + wide.image)),
        particles=np.float32(PLACES[:2]),
        false=np.float32(PLACES[2:3]),
    )


def batches(micrograph, count):
    rng = np.random.default_rng(0)
    for _ in range(count):
        some = [RECIPE.example(micrograph, Slot(at, RECIPE.batch), rng) for at in range(RECIPE.batch)]
        yield (
            torch.stack([torch.from_numpy(one.image)[None] for one in some]),
            torch.stack([torch.from_numpy(one.target) for one in some]),
        )


def begun(seed=0):
    torch.manual_seed(seed)
    network = HeatmapNetwork("heatmap", 4, MOST)
    torch.nn.init.normal_(network.head.weight, std=0.1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean of what it sees
    with torch.no_grad():
        network(torch.randn(8, 1, 64, 64))
    return HeldNetwork(network).train()


def near_at(network, micrograph, place):
    height, width = (side // 16 * 16 for side in micrograph.image.shape)
    with torch.inference_mode():
        answers = network(torch.from_numpy(micrograph.image[None, None, :height, :width]))[0]
    column, row = (round((at - 0.5) / 2) for at in place)
    return float(answers[NEAR, row, column])


def test_a_recipe_tells_particles_and_the_like_from_wrong_places_and_leaves_the_teacher_as_it_was(micrograph):
    network = begun()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = RECIPE.optimiser(network, 3e-3)
    for images, targets in batches(micrograph, 40):
        optimiser.zero_grad()
        RECIPE.loss(network(images), targets, 0).backward()
        optimiser.step()
    after = network.state_dict()
    for name, value in before.items():
        if name.startswith("teacher") or "running" in name or "num_batches" in name:
            assert torch.equal(after[name], value), name
    first, second, wrong, alike = (
        near_at(network.student, micrograph, place) - near_at(network.teacher, micrograph, place)
        for place in PLACES
    )
    assert min(first, second, alike) > max(1.0, wrong + 1.0)


def test_without_marks_the_model_as_it_is_is_the_best_answer(micrograph):
    network = begun()
    bare = replace(micrograph, particles=micrograph.particles[:0], false=micrograph.false[:0])
    for images, targets in batches(bare, 2):
        network.zero_grad()
        RECIPE.loss(network(images), targets, 0).backward()
        gradients = [
            parameter.grad.abs().max()
            for parameter in network.student.parameters()
            if parameter.grad is not None
        ]
        assert max(gradients) < 1e-4
    others = held_loss(torch.randn(1, MOST, 4, 4), torch.randn(1, MOST, 4, 4), torch.ones(1, 4, 4))
    same = torch.randn(1, MOST, 4, 4)
    assert others > held_loss(same, same, torch.ones(1, 4, 4))


def test_what_is_marked_is_judged_by_the_mark_alone(micrograph):
    """Answers of the teacher within half a diameter of a mark change nothing."""
    (images, targets), *_ = batches(micrograph, 1)
    answers = begun()(images).detach()
    changed = answers.clone()
    is_marked = targets[:, 2] > 0
    assert is_marked.any()
    for at in (CENTRE, NEAR):
        changed[:, MOST + at][is_marked] += 5.0
    assert RECIPE.loss(changed, targets, 0) == pytest.approx(float(RECIPE.loss(answers, targets, 0)))


def test_crops_show_both_kinds_of_mark_and_are_the_generators(micrograph):
    kinds = torch.cat([targets[:, 2].flatten(1).max(1).values for _, targets in batches(micrograph, 4)])
    assert {1.0, 2.0} <= set(kinds.tolist())
    (first, _), (again, _) = (next(batches(micrograph, 1)) for _ in range(2))
    assert torch.equal(first, again)


def test_a_doubled_model_begins_as_it_is():
    weights = HeatmapNetwork("heatmap", 4, MOST).state_dict()
    network = RECIPE.build()
    network.load_state_dict(doubled(weights))
    for name, value in learnt(network.state_dict()).items():
        assert torch.equal(value, weights[name]), name
    student, teacher = network(torch.randn(1, 1, 32, 32)).chunk(2, dim=1)
    assert torch.equal(student, teacher)
