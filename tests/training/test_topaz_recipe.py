import dataclasses
import json

import numpy as np
import pytest
import torch

from cryopick_ray.errors import ModelError, UsageError
from cryopick_ray.pickers.families import build_network, make_picker
from cryopick_ray.pickers.topaz.mixture import normalise
from cryopick_ray.pickers.topaz.picker import TopazPicker
from cryopick_ray.pickers.weights import ModelCard, weights_digest
from cryopick_ray.training.data.labelled import LabelledMicrograph, nowhere
from cryopick_ray.training.recipes.objectives import OBJECTIVES, ge_binomial
from cryopick_ray.training.recipes.recipe import Slot
from cryopick_ray.training.recipes.topaz import TopazRecipe

FIELDS = {"topaz-conv3": 31, "topaz-resnet8": 71, "topaz-resnet16": 91}
POSITIVE, OTHER = Slot(15, 256), Slot(3, 256)


def micrograph(particles=((60.3, 50.6), (150.0, 120.0)), shape=(200, 240), **labels):
    image = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    return LabelledMicrograph("m", "d", image, np.array(particles, np.float32).reshape(-1, 2), **labels)


def recipe(**changes):
    return TopazRecipe(**{"pi": 0.03, "units": 2} | changes)


def middles(recipe, labelled, slot, count=200):
    """Return the middles ``(n, 2)`` of examples in the micrograph, and what the examples are told to be."""
    half, found = recipe.crop_px // 2, []
    for tells_place in reversed(np.indices(labelled.image.shape, np.float32)):  # grey value: column, then row
        rng = np.random.default_rng(0)
        told = dataclasses.replace(labelled, image=tells_place)
        drawn = [recipe.example(told, slot, rng) for _ in range(count)]
        found.append([example.image[half, half] for example in drawn])
    return np.column_stack(found), np.array([example.target for example in drawn])


@pytest.mark.parametrize(("architecture", "field"), FIELDS.items())
def test_an_example_is_one_receptive_field_with_one_answer(architecture, field):
    it = recipe(architecture=architecture)
    rng = np.random.default_rng(0)
    drawn = [it.example(micrograph(), Slot(index, 32), rng) for index in range(32)]
    images = torch.from_numpy(np.stack([example.image for example in drawn]))[:, None]
    targets = torch.from_numpy(np.stack([example.target for example in drawn]))
    assert (images.shape, images.dtype) == ((32, 1, field, field), torch.float32)
    assert (targets.shape, targets.dtype) == ((32, 1), torch.float32)
    answer = it.build()(images)
    loss = it.loss(answer, targets, 0)
    assert loss.item() == pytest.approx(ge_binomial(answer.flatten(), targets, 0.03, 1.0).item())
    loss.backward()


def test_a_sixteenth_of_the_batch_shows_labelled_particles():
    it, labelled, rng = recipe(), micrograph(), np.random.default_rng(0)
    targets = [it.example(labelled, Slot(index, 256), rng).target.item() for index in range(256)]
    assert sum(targets) == 16
    assert all(sum(targets[start : start + 64]) == 4 for start in (0, 64, 128, 192))


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
    tiny = micrograph(particles=nowhere(), shape=(48, 40))
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


MOVED_PX = 0.71
"""How far a window moves so that none of its pixels is interpolated."""


@pytest.mark.parametrize("radius_px", [3.0, 10.0])
def test_positives_fill_the_disc_around_a_particle(radius_px):
    labelled = micrograph()
    seen, targets = middles(recipe(radius_px=radius_px), labelled, POSITIVE, 800)
    away = np.hypot(*(seen[:, None] - labelled.particles).transpose(2, 0, 1))
    assert (targets == 1).all()
    assert radius_px - 0.1 < away.min(1).max() <= radius_px + MOVED_PX
    assert np.median(away.min(1)) == pytest.approx(radius_px / np.sqrt(2), rel=0.05)  # half of the area
    assert 300 < np.count_nonzero(away[:, 0] <= radius_px + MOVED_PX) < 500


@pytest.mark.parametrize("objective", ["ge-binomial", "pn"])
def test_others_come_from_everywhere_but_negatives_not_from_labels(objective):
    labelled = micrograph(unsure=np.array([[100, 30]], np.float32))
    seen, targets = middles(recipe(radius_px=30, objective=objective), labelled, OTHER, 800)
    taken = np.concatenate([labelled.particles, labelled.unsure])
    away = np.hypot(*(seen[:, None] - taken).transpose(2, 0, 1)).min(1)
    assert (targets == 0).all()
    if objective == "pn":
        assert 30 - MOVED_PX <= away.min() < 33
    else:  # as many as the discs' share of the area
        assert np.mean(away < 30) == pytest.approx(3 * np.pi * 30**2 / (200 * 240), abs=0.05)
    counts = np.histogram2d(*seen.T, bins=3, range=((-0.5, 239.5), (-0.5, 199.5)))[0]
    assert counts.min() > 800 / 9 / 3


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_false_picks_are_half_of_the_negatives_but_never_of_the_unlabelled(objective):
    labelled = micrograph(false=np.array([[30, 170], [200, 22.3]], np.float32))
    seen, targets = middles(recipe(objective=objective), labelled, OTHER, 400)
    hard = (np.abs(seen[:, None] - labelled.false) <= 0.5).all(2).any(1).mean()
    assert (targets == 0).all()
    assert hard < 0.02 if objective in ("ge-binomial", "ge-kl", "nnpu") else 0.4 < hard < 0.6


def test_without_particles_every_place_is_another():
    labelled = micrograph(particles=nowhere())
    for slot in (POSITIVE, OTHER):
        assert (middles(recipe(), labelled, slot, 50)[1] == 0).all()


def test_a_full_micrograph_still_gives_examples():
    _, targets = middles(recipe(radius_px=500, objective="pn"), micrograph(), OTHER, 5)
    assert (targets == 0).all()


def test_patches_are_turned_freely_and_mirrored():
    ramp = np.tile(np.arange(240, dtype=np.float32), (200, 1))
    labelled = dataclasses.replace(micrograph([(120, 100)]), image=ramp)
    it, rng = recipe(radius_px=0.5), np.random.default_rng(0)
    rows, columns = (grid - np.float32(35) for grid in np.indices((71, 71), np.float32))
    slopes = []
    for _ in range(200):
        image = it.example(labelled, POSITIVE, rng).image
        inner = np.s_[20:51, 20:51]
        slopes.append(
            [
                (grid[inner] * (image[inner] - 120)).mean() / (grid[inner] ** 2).mean()
                for grid in (columns, rows)
            ]
        )
    angle = np.arctan2(*np.transpose(slopes))
    np.testing.assert_allclose(np.hypot(*np.transpose(slopes)), 1, atol=0.01)
    assert np.histogram(angle, 8, (-np.pi, np.pi))[0].min() > 8


def test_the_generator_decides_alone():
    drawn = [recipe().example(micrograph(), POSITIVE, np.random.default_rng(4)).image for _ in range(2)]
    assert np.array_equal(*drawn)


def test_it_prepares_as_its_picker_does():
    image = np.random.default_rng(0).normal(7, 3, (90, 90)).astype(np.float32)
    assert np.array_equal(recipe().prepare(image), normalise(image))


def card_of(it, network):
    return ModelCard(
        name="mine",
        architecture=it.architecture,
        parameters=it.parameters,
        particle_px=it.particle_px,
        normalisation=it.normalisation,
        trained_on="discs",
        licence="CC0-1.0",
        source="a test",
        digest=weights_digest(network.state_dict()),
    )


@pytest.mark.parametrize("architecture", FIELDS)
def test_its_card_builds_its_network_and_picker(architecture):
    it = recipe(architecture=architecture, particle_px=19.0)
    network = it.build()
    card = card_of(it, network)
    picker = make_picker(network, card)
    assert isinstance(picker, TopazPicker)
    assert picker.particle_px == 19
    assert json.dumps(picker.settings())
    assert build_network(card).state_dict().keys() == network.state_dict().keys()


def test_adam_takes_the_whole_network_at_a_rate_that_falls_to_nothing():
    it = recipe()
    network = it.build()
    optimiser = it.optimiser(network, it.learning_rate)
    assert [group["lr"] for group in optimiser.param_groups] == [2e-4]
    assert sum(p.numel() for group in optimiser.param_groups for p in group["params"]) == sum(
        p.numel() for p in network.parameters()
    )
    assert [it.rate(epoch, 10, [1.0, 2.0]) for epoch in (0, 5, 10)] == [1, 0.5, 0]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"objective": "hinge"}, UsageError, "objective is 'hinge'; expected one of ge-binomial"),
        ({"pi": 0.0}, UsageError, "pi is 0.0"),
        ({"pi": 1.0}, UsageError, "pi is 1.0"),
        ({"pi": float("nan")}, UsageError, "pi is nan"),
        ({"positive_share": 1.5}, UsageError, "positive_share is 1.5"),
        ({"slack": -1.0}, UsageError, "slack is -1.0"),
        ({"radius_px": 0.0}, UsageError, "radius_px is 0.0"),
        ({"particle_px": float("inf")}, UsageError, "particle_px is inf"),
        ({"learning_rate": 0.0}, UsageError, "learning_rate is 0.0"),
        ({"architecture": "unet"}, ModelError, "unknown architecture 'unet'"),
        ({"crop_px": 67}, UsageError, "crop_px is 67; expected 71, .* or a multiple of 4 more"),
        ({"crop_px": 132}, UsageError, "crop_px is 132"),
        ({"objective": "focal"}, UsageError, "give a larger crop_px, such as 131"),
        ({"units": 0}, ModelError, "0 units"),
    ],
)
def test_wrong_settings_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        recipe(**changes)


@pytest.mark.parametrize(
    ("way", "steps"),
    [
        ({"pi": 0.01, "batch": 32, "positive_share": 0.25}, 60),
        ({"objective": "focal", "crop_px": 91, "batch": 8, "positive_share": 0.75}, 60),
        ({"objective": "nnpu", "pi": 0.01, "crop_px": 91, "batch": 8, "positive_share": 0.5}, 60),
    ],
    ids=["the paper's", "peaks", "dense"],
)
def test_it_learns_to_tell_discs_from_noise(way, steps):
    rng = np.random.default_rng(0)
    image = rng.normal(size=(300, 300)).astype(np.float32)
    centres = np.stack(np.meshgrid(np.arange(30, 300, 60), np.arange(30, 300, 60)), -1).reshape(-1, 2)
    rows, columns = np.indices(image.shape)
    for x, y in centres:
        image -= 2 * (np.hypot(columns - x, rows - y) < 8)
    it = recipe(architecture="topaz-conv3", units=4, particle_px=16.0, **way)
    labelled = LabelledMicrograph(
        "m", "d", it.prepare(image), (centres if it.objective == "focal" else centres[:9]).astype(np.float32)
    )
    torch.manual_seed(0)
    network = it.build().train()
    optimiser = it.optimiser(network, 5e-3)
    for _ in range(steps):
        drawn = [it.example(labelled, Slot(index, it.batch), rng) for index in range(it.batch)]
        images = torch.from_numpy(np.stack([example.image for example in drawn]))[:, None]
        targets = torch.from_numpy(np.stack([example.target for example in drawn]))
        optimiser.zero_grad()
        it.loss(network(images), targets, 0).backward()
        optimiser.step()
    found = make_picker(network, card_of(it, network)).pick(image)
    best = np.column_stack([found.x, found.y])[: len(centres)]
    away = np.hypot(*(best[:, None] - centres).transpose(2, 0, 1)).min(0)
    assert (away < 4).mean() > 0.9  # the 16 that were not labelled too


@pytest.mark.parametrize(("objective", "slack"), [("ge-binomial", 1.0), ("ge-kl", 10.0)])
def test_slack_is_topaz_own_for_each_objective(objective, slack):
    answer, target = torch.linspace(-2, 1, 40), (torch.arange(40) % 8 == 0).float()
    own = recipe(objective=objective).loss(answer, target, 0)
    assert own == recipe(objective=objective, slack=slack).loss(answer, target, 0)
    assert own != recipe(objective=objective, slack=2 * slack).loss(answer, target, 0)
