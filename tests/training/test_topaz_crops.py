"""Crops larger than a receptive field: an output for every stride, each with a label of its own."""

import dataclasses

import numpy as np
import pytest
import torch
from topaz_examples import FIELDS, micrograph, recipe

from cryopick_ray.training.data.labelled import no_centres
from cryopick_ray.training.recipes.objectives import OBJECTIVES
from cryopick_ray.training.recipes.recipe import Slot


@pytest.mark.parametrize("architecture", FIELDS)
@pytest.mark.parametrize("more", [0, 1, 5])
def test_answers_lie_in_the_middle_of_what_decides_them(architecture, more):
    """The pixels that move an answer of the strided network are a square about its place, exactly."""
    network = recipe(architecture=architecture).build().eval()
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 0.01)  # nothing cancels, no unit is silent
    it = recipe(architecture=architecture, crop_px=FIELDS[architecture] + more * network.stride)
    crop = torch.ones(1, 1, it.crop_px, it.crop_px, requires_grad=True)
    answers = network(crop)[0]
    assert answers.shape == (more + 1, more + 1) == (len(it.answers_px),) * 2
    for row, column in [(0, 0), (more, 0), (more // 2, more)]:
        (moved,) = torch.autograd.grad(answers[row, column], crop, retain_graph=True)
        for at, touched in ((row, moved[0, 0].any(1)), (column, moved[0, 0].any(0))):
            (where,) = touched.nonzero(as_tuple=True)
            half = FIELDS[architecture] // 2
            assert (int(where[0]), int(where[-1])) == (it.answers_px[at] - half, it.answers_px[at] + half)


def dense(**changes):
    return recipe(**{"crop_px": 131, "positive_share": 0.5} | changes)


def shown(it, labelled, count, aimed):
    """Return crops' labels ``(n, 16, 16)``, and where each answer lies in the micrograph, x and y last."""
    at, found = it.answers_px.astype(int), []
    for tells_place in reversed(np.indices(labelled.image.shape, np.float32)):
        rng = np.random.default_rng(0)
        told = dataclasses.replace(labelled, image=tells_place)
        drawn = [it.example(told, Slot(int(aimed), 2), rng) for _ in range(count)]
        found.append([example.image[np.ix_(at, at)] for example in drawn])
    return np.array([example.target for example in drawn]), np.stack(found, axis=-1)


def distances(places, centres):
    return np.hypot(*(places[..., None, :] - centres).transpose(4, 0, 1, 2, 3)).min(-1, initial=np.inf)


def test_a_crop_of_131_px_has_256_answers():
    assert dense().answers_px.tolist() == list(range(35, 96, 4))
    labels, _ = shown(dense(), micrograph(), 1, aimed=True)
    assert labels.shape == (1, 16, 16)
    assert labels.dtype == np.float32


@pytest.mark.parametrize("objective", ["pn", "cross-entropy"])
@pytest.mark.parametrize("aimed", [True, False])
@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_every_answer_has_its_own_label(objective, aimed, scale):
    """Turned and mirrored crops: an answer is told what lies at its place in the micrograph."""
    labelled = micrograph(shape=(400, 400), particles=[(150.3, 170.6), (210.0, 240.0)], scale=scale)
    labelled = dataclasses.replace(labelled, unsure=np.float32([[260, 120]]))
    it = dense(objective=objective, radius_px=9.0)
    labels, places = shown(it, labelled, 60, aimed=aimed)
    away, unsure = distances(places, labelled.particles), distances(places, labelled.unsure)
    inner = (np.abs(places[:, 7:8, 7:8] - 200) < 150).all(-1)  # of crops that reach no edge
    near = away < 9 * scale
    apart = (np.abs(away - 9 * scale) > 0.1) & (np.abs(unsure - 12 * scale) > 0.1) & inner
    np.testing.assert_array_equal(labels[apart], np.where(unsure < 12 * scale, -1.0, near)[apart])
    if aimed:
        assert near.any((1, 2)).mean() > 0.95


def test_a_peak_is_the_answer_nearest_to_the_centre():
    labelled = micrograph(shape=(400, 400), particles=[(150.3, 170.6), (210.0, 240.0)])
    labels, places = shown(dense(objective="focal"), labelled, 60, aimed=True)
    away = distances(places, labelled.particles)
    assert (labels == 1).any((1, 2)).mean() > 0.9
    assert away[labels == 1].max() <= np.hypot(2, 2) + 0.1  # half the stride each way
    assert (labels[away < 1.9] == 1).all()
    others = (labels < 1) & (labels > 0.01)
    np.testing.assert_allclose(labels[others], np.exp(-(away[others] ** 2) / 2 / (0.09 * 24) ** 2), atol=0.02)


@pytest.mark.parametrize("objective", ["ge-binomial", "ge-kl", "nnpu"])
def test_the_unlabelled_are_an_even_draw_where_the_objective_counts_on_it(objective):
    labelled = micrograph(shape=(400, 400), particles=[(150.3, 170.6), (210.0, 240.0)])
    it = dense(objective=objective, radius_px=30.0)
    labels, places = shown(it, labelled, 200, aimed=True)
    near = distances(places, labelled.particles) < 30
    assert set(np.unique(labels[near])) <= {-1.0, 1.0}
    assert (labels[~near & (distances(places, labelled.particles) > 30.1)] == -1).all()
    labels, places = shown(it, labelled, 200, aimed=False)
    inner = (np.abs(places - 200) < 120).all(-1)
    assert (labels[inner] == 0).all()
    share = (distances(places, labelled.particles)[inner] < 30).mean()
    assert share == pytest.approx(2 * np.pi * 30**2 / 240**2, rel=0.2)


def test_what_lies_beyond_the_micrograph_is_not_judged():
    """As many answers as fit on it are, at any turn."""
    tiny = micrograph(particles=no_centres(), shape=(48, 40))
    labels, _ = shown(dense(objective="pn"), tiny, 40, aimed=False)
    judged = (labels == 0).sum((1, 2))
    assert judged.max() <= 13 * 11
    assert judged.mean() * 16 == pytest.approx(48 * 40, rel=0.35)  # the corners of some turned crops miss it


@pytest.mark.parametrize("objective", [*sorted(OBJECTIVES), "focal"])
def test_the_loss_of_a_crop_is_the_objective_of_its_judged_answers(objective):
    it = dense(objective=objective)
    answer = torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(0), requires_grad=True)
    target = torch.zeros(3, 16, 16)
    target[:, 4, 5] = 1
    target[:, 9:] = -1
    loss = it.loss(answer, target, 0)
    (moved,) = torch.autograd.grad(loss, answer)
    assert (moved[:, 9:] == 0).all()
    assert (moved[:, :9] != 0).all()
    alone = it.loss(answer[:, :9], target[:, :9], 0)
    assert alone.item() == pytest.approx(loss.item())
    assert it.loss(answer, torch.full_like(target, -1), 0).item() == 0
