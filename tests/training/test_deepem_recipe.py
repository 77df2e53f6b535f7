import numpy as np
import pytest
import torch

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.deepem.picker import DeepEMPicker
from cryopick_ray.pickers.families import make_picker
from cryopick_ray.pickers.weights import ModelCard, weights_digest
from cryopick_ray.training.data.labelled import LabelledMicrograph
from cryopick_ray.training.recipes.deepem import DeepEMRecipe
from cryopick_ray.training.recipes.recipe import Slot

SMALL = {"box_px": 32, "particle_px": 20.0}


def dark_spots(seed, count=30, shape=(240, 240)):
    rng = np.random.default_rng(seed)
    cells = rng.permutation(49)[:count]
    centres = np.stack([cells % 7, cells // 7], 1) * 30 + 30 + rng.uniform(-3, 3, (count, 2))
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = rng.normal(size=shape)
    for at_x, at_y in centres:
        image -= 1.5 * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * 5**2))
    return image.astype(np.float32), centres.astype(np.float32)


def batch(recipe, micrograph, rng):
    examples = [recipe.example(micrograph, Slot(i, recipe.batch), rng) for i in range(recipe.batch)]
    return (
        torch.from_numpy(np.stack([e.image for e in examples])[:, None]),
        torch.from_numpy(np.stack([e.target for e in examples])),
    )


def taught(recipe, steps):
    """A network after so many steps, and the mean loss of the last fifty."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    image, centres = dark_spots(0)
    micrograph = LabelledMicrograph("m", "d", recipe.prepare(image), centres)
    network = recipe.build().to(memory_format=torch.channels_last)
    optimiser = recipe.optimiser(network, recipe.learning_rate)
    losses = []
    for _ in range(steps):
        images, targets = batch(recipe, micrograph, rng)
        loss = recipe.loss(network(images), targets, 0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return network, np.mean(losses[-50:])


@pytest.mark.parametrize(
    ("architecture", "box_px"), [("deepem-klh", 272), ("deepem-19s", 160), ("deepem", 48)]
)
def test_the_box_is_one_and_a_half_particles_unless_told(architecture, box_px):
    assert DeepEMRecipe(architecture, box_px).particle_px == pytest.approx(box_px / 1.5)
    assert DeepEMRecipe(architecture, box_px, particle_px=32.0).particle_px == 32


def test_half_of_a_batch_are_particles():
    image, centres = dark_spots(0)
    micrograph = LabelledMicrograph("m", "d", image, centres)
    images, targets = batch(DeepEMRecipe(**SMALL), micrograph, np.random.default_rng(0))
    assert images.shape == (50, 1, 32, 32)
    assert targets.shape == (50, 1)
    assert targets.sum() == 25
    middle = images[:, 0, 12:20, 12:20].mean((1, 2))
    assert middle[targets[:, 0] == 1].mean() < -0.3 < middle[targets[:, 0] == 0].mean()
    torch.testing.assert_close(images.std((2, 3), correction=0), torch.ones(50, 1), atol=1e-4, rtol=0)


def test_boxes_without_a_particle_are_farther_off_where_particles_are_larger():
    places = np.stack(np.meshgrid([40, 100, 160], [40, 100, 160]), -1).reshape(-1, 2)
    image = np.zeros((200, 200), np.float32)
    image[places[:, 1], places[:, 0]] = 1
    rows, columns = np.mgrid[:48, :48] - 23.5

    def nearest(scale):
        micrograph = LabelledMicrograph("m", "d", image, places.astype(np.float32), scale=scale)
        rng, recipe = np.random.default_rng(0), DeepEMRecipe(box_px=48, particle_px=20.0)
        shown = [recipe.example(micrograph, Slot(0, 2), rng).image > 1 for _ in range(200)]
        return min(np.hypot(rows, columns)[one].min(initial=99) for one in shown)

    assert [nearest(scale) for scale in (1.0, 2.0)] == pytest.approx([12, 24], abs=1.5)


def test_without_particles_every_example_is_negative():
    micrograph = LabelledMicrograph("m", "d", dark_spots(0)[0], np.empty((0, 2), np.float32))
    assert batch(DeepEMRecipe(**SMALL), micrograph, np.random.default_rng(0))[1].sum() == 0


def test_jitter_moves_the_particle():
    image = np.zeros((99, 99), np.float32)
    image[49, 49] = 1
    micrograph = LabelledMicrograph("m", "d", image, np.array([[49, 49]], np.float32))

    def spread(jitter_px):
        recipe = DeepEMRecipe(**SMALL, jitter_px=jitter_px)
        rng = np.random.default_rng(0)
        shown = [recipe.example(micrograph, Slot(1, 2), rng).image for _ in range(60)]
        at = np.array([np.unravel_index(one.argmax(), one.shape) for one in shown]) - 15.5
        return np.hypot(at[:, 0], at[:, 1]).max()

    assert spread(0) < 1
    assert 3 < spread(5) < 6


def test_prepare_is_a_z_score():
    prepared = DeepEMRecipe().prepare(np.random.default_rng(0).normal(5, 3, (50, 60)).astype(np.float32))
    assert (prepared.mean(), prepared.std()) == pytest.approx((0, 1), abs=1e-4)


def test_the_loss_is_half_the_mean_square():
    answer, target = torch.tensor([[0.2], [0.9], [0.5]]), torch.tensor([[0.0], [1.0], [1.0]])
    expected = torch.tensor((0.2**2 + 0.1**2 + 0.5**2) / (2 * 3))
    torch.testing.assert_close(DeepEMRecipe().loss(answer, target, 0), expected)


@pytest.mark.parametrize(("start", "lowest"), [("glorot", -1), ("positive", 0)])
def test_weights_start_as_asked(start, lowest):
    network = DeepEMRecipe(architecture="deepem-19s", box_px=160, start=start).build()
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            assert (parameter == 0).all()
    weight = network.convolutions[3].weight.detach()  # 6 -> 12 maps, 10 x 10
    reach = (6 / (6 * 100 + 12 * 100)) ** 0.5 if start == "glorot" else 1.0
    assert lowest * reach <= weight.min() < (lowest + 0.05) * reach
    assert 0.95 * reach < weight.max() <= reach


def test_the_optimiser_is_plain_and_its_rate_stays():
    recipe = DeepEMRecipe()
    network = recipe.build()
    before = [p.detach().clone() for p in network.parameters()]
    optimiser = recipe.optimiser(network, 0.5)
    for _ in range(2):  # momentum would show in the second step
        for parameter in network.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimiser.step()
    for parameter, old in zip(network.parameters(), before, strict=True):
        torch.testing.assert_close(parameter.detach(), old - 1.0)
    assert {recipe.rate(epoch, 20, [1.0, 2.0]) for epoch in (0, 3.5, 20)} == {1.0}


def test_the_rate_may_fall_along_a_half_cosine_and_then_the_last_epoch_is_kept():
    recipe = DeepEMRecipe(decay="cosine")
    assert [recipe.rate(epoch, 8, []) for epoch in (0, 4, 8)] == pytest.approx([1, 0.5, 0])
    assert not recipe.validation_chooses
    assert DeepEMRecipe().validation_chooses


def test_negatives_may_lie_beside_a_particle():
    image = np.zeros((99, 99), np.float32)
    image[49, 49] = 1
    micrograph = LabelledMicrograph("m", "d", image, np.array([[49, 49]], np.float32))
    recipe, rng = DeepEMRecipe(box_px=48, particle_px=20.0, ring_share=1.0), np.random.default_rng(0)
    shown = [recipe.example(micrograph, Slot(0, 2), rng) for _ in range(60)]
    at = np.array([np.unravel_index(one.image.argmax(), one.image.shape) for one in shown]) - 23.5
    reach = np.hypot(*at.T) / 20
    assert not any(one.target for one in shown)
    assert 0.25 - 0.04 <= reach.min() < 0.35
    assert 0.6 < reach.max() <= 0.7 + 0.04
    with pytest.raises(UsageError, match="ring_share is 2"):
        DeepEMRecipe(ring_share=2)


def test_a_short_recipe_finds_spots_and_weights_that_start_positive_learn_less():
    recipe = DeepEMRecipe(**SMALL, learning_rate=4)  # at the paper's 1 they need twice the steps
    network, loss = taught(recipe, 180)
    _, loss_positive = taught(DeepEMRecipe(**SMALL, learning_rate=4, start="positive"), 180)
    assert loss < 0.04
    assert loss_positive > 0.1  # 0.125 is that of the answer 0.5 to everything
    card = ModelCard.model_validate(
        {
            "name": "spots",
            "architecture": recipe.architecture,
            "parameters": recipe.parameters,
            "particle_px": recipe.particle_px,
            "normalisation": recipe.normalisation,
            "trained_on": "spots",
            "licence": "CC0-1.0",
            "source": "a test",
            "digest": weights_digest(network.state_dict()),
        }
    )
    picker = make_picker(network, card)
    assert isinstance(picker, DeepEMPicker)
    image, centres = dark_spots(1)
    found = picker.pick(image)
    away = np.hypot(
        found.x[: len(centres), None] - centres[:, 0], found.y[: len(centres), None] - centres[:, 1]
    )
    assert (away.min(0) < 6).mean() >= 0.8
