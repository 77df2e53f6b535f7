import numpy as np
import pytest
import torch

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.deeppicker.picker import DeepPickerPicker
from cryopick_ray.pickers.families import make_picker
from cryopick_ray.pickers.weights import ModelCard, weights_digest
from cryopick_ray.training.data.labelled import LabelledMicrograph
from cryopick_ray.training.recipes.deeppicker import DeepPickerRecipe
from cryopick_ray.training.recipes.recipe import Slot


def ramp(particles, shape=(300, 320)):
    """A micrograph whose pixels tell where they are."""
    image = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    return LabelledMicrograph("m", "d", image, np.array(particles, np.float32).reshape(-1, 2))


def dark_spots(seed, count=25, shape=(400, 400)):
    rng = np.random.default_rng(seed)
    cells = rng.permutation(36)[:count]
    centres = np.stack([cells % 6, cells // 6], 1) * 60 + 50 + rng.uniform(-6, 6, (count, 2))
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = rng.normal(scale=1.5, size=shape)
    for at_x, at_y in centres:
        image -= np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * 10**2))
    return image.astype(np.float32), centres.astype(np.float32)


def batch(recipe, micrograph, rng):
    examples = [recipe.example(micrograph, Slot(i, recipe.batch), rng) for i in range(recipe.batch)]
    return (
        torch.from_numpy(np.stack([e.image for e in examples])[:, None]),
        torch.from_numpy(np.stack([e.target for e in examples])),
    )


def test_half_of_a_batch_are_particles():
    recipe, rng = DeepPickerRecipe(), np.random.default_rng(0)
    images, targets = batch(recipe, ramp([(100, 100), (200, 150)]), rng)
    assert images.shape == (100, 1, 64, 64)
    assert targets.shape == (100, 1)
    assert images.dtype == targets.dtype == torch.float32
    assert targets.sum() == 50
    torch.testing.assert_close(images.mean((2, 3)), torch.zeros(100, 1), atol=1e-4, rtol=0)
    torch.testing.assert_close(images.std((2, 3), correction=0), torch.ones(100, 1), atol=1e-4, rtol=0)


def test_a_particle_is_in_the_middle_in_all_eight_orientations():
    recipe, rng = DeepPickerRecipe(), np.random.default_rng(0)
    image = np.random.default_rng(1).normal(size=(200, 200)).astype(np.float32)
    micrograph = LabelledMicrograph("m", "d", image, np.array([[99.5, 89.5]], np.float32))
    patch = image[58:122, 68:132]
    patch = (patch - patch.mean()) / patch.std()
    turned = [np.rot90(flip, turns) for flip in (patch, patch[:, ::-1]) for turns in range(4)]
    seen = set()
    for _ in range(60):
        shown = recipe.example(micrograph, Slot(1, 2), rng).image
        alike = [k for k, one in enumerate(turned) if np.allclose(shown, one, atol=1e-4)]
        assert len(alike) == 1
        seen.update(alike)
    assert len(seen) == 8


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_negatives_keep_their_distance_from_every_particle(scale):
    """In diameters of particles as large as the view shows them."""
    recipe, rng = DeepPickerRecipe(particle_px=40), np.random.default_rng(0)
    dots = np.zeros((300, 300), np.float32)
    particles = np.stack(np.meshgrid([70, 150, 230], [70, 150, 230]), -1).reshape(-1, 2)
    dots[particles[:, 1], particles[:, 0]] = 1
    micrograph = LabelledMicrograph("m", "d", dots, particles.astype(np.float32), scale=scale)
    rows, columns = np.mgrid[:64, :64]
    nearest = []
    for _ in range(200):
        example = recipe.example(micrograph, Slot(0, 2), rng)
        assert example.target == 0
        shown = example.image > 1
        nearest.append(np.hypot(rows - 31.5, columns - 31.5)[shown].min(initial=99))
    assert min(nearest) == pytest.approx(0.6 * 40 * scale, abs=1.5)


def nearest_dots(recipe, count=200):
    """Return how far from the middle of negatives the nearest of some particles lies, in diameters."""
    dots, rng = np.zeros((300, 300), np.float32), np.random.default_rng(0)
    particles = np.stack(np.meshgrid([70, 150, 230], [70, 150, 230]), -1).reshape(-1, 2)
    dots[particles[:, 1], particles[:, 0]] = 1
    micrograph = LabelledMicrograph("m", "d", dots, particles.astype(np.float32))
    rows, columns = np.mgrid[:64, :64]
    nearest = []
    for _ in range(count):
        example = recipe.example(micrograph, Slot(0, 2), rng)
        assert example.target == 0
        nearest.append(np.hypot(rows - 31.5, columns - 31.5)[example.image > 1].min(initial=99))
    return np.array(nearest) / recipe.particle_px


@pytest.mark.parametrize("ring_share", [0.0, 0.3, 1.0])
def test_so_many_negatives_as_asked_lie_beside_a_particle(ring_share):
    nearest = nearest_dots(DeepPickerRecipe(particle_px=40, ring_share=ring_share), 400)
    beside = nearest < 0.58  # all others are 0.6 diameters away, but for rounding to pixels
    assert beside.mean() == pytest.approx(ring_share * (0.58 - 0.25) / (0.7 - 0.25), abs=0.07)
    assert nearest[beside].min(initial=1) >= 0.25 - 0.03


def test_without_particles_none_lies_beside_one_and_every_example_is_negative():
    recipe, rng = DeepPickerRecipe(ring_share=1), np.random.default_rng(0)
    assert batch(recipe, ramp([]), rng)[1].sum() == 0


@pytest.mark.parametrize("ring_share", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(ring_share):
    with pytest.raises(UsageError, match="ring_share"):
        DeepPickerRecipe(ring_share=ring_share)


def test_without_particles_every_example_is_negative():
    recipe, rng = DeepPickerRecipe(), np.random.default_rng(0)
    assert batch(recipe, ramp([]), rng)[1].sum() == 0


def test_equal_generators_give_equal_examples():
    recipe, micrograph = DeepPickerRecipe(jitter_px=3), ramp([(100, 100), (200, 150)])
    one, other = (batch(recipe, micrograph, np.random.default_rng(5))[0] for _ in range(2))
    assert torch.equal(one, other)


def test_prepare_is_a_z_score():
    prepared = DeepPickerRecipe().prepare(np.random.default_rng(0).normal(5, 3, (50, 60)).astype(np.float32))
    assert prepared.dtype == np.float32
    assert (prepared.mean(), prepared.std()) == pytest.approx((0, 1), abs=1e-4)


def test_weights_start_from_a_cut_normal_distribution():
    for name, parameter in DeepPickerRecipe().build().named_parameters():
        if name.endswith("bias"):
            assert (parameter == 0).all()
        else:
            assert parameter.abs().max() <= 0.1
    weights = DeepPickerRecipe().build().classifier[0].weight
    assert weights.std().item() == pytest.approx(0.05 * 0.88, rel=0.02)  # cut at two sigma


def test_the_loss_is_the_mean_of_minus_log_probabilities():
    logits, targets = torch.tensor([[1.0, 3.0], [0.5, -2.0]]), torch.tensor([[1.0], [0.0]])
    p = torch.exp(logits) / torch.exp(logits).sum(1, keepdim=True)
    expected = -(torch.log(p[0, 1]) + torch.log(p[1, 0])) / 2
    torch.testing.assert_close(DeepPickerRecipe().loss(logits, targets, 0), expected)


def test_only_fully_connected_weights_decay():
    recipe = DeepPickerRecipe()
    network = recipe.build()
    torch.nn.init.ones_(network.classifier[0].bias)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimiser = recipe.optimiser(network, 0.1)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    for name, parameter in network.named_parameters():
        decays = name in ("classifier.0.weight", "classifier.3.weight")
        factor = 1 - 0.1 * 5e-4 if decays else 1
        torch.testing.assert_close(parameter.detach(), before[name] * factor)


def test_the_rate_falls_every_ten_epochs():
    recipe = DeepPickerRecipe()
    rates = [recipe.rate(epoch, 200, []) for epoch in (0, 9.9, 10, 19.9, 20, 105)]
    assert rates == pytest.approx([1, 1, 0.95, 0.95, 0.95**2, 0.95**10])


def test_the_rate_may_fall_along_a_half_cosine_and_then_the_last_epoch_is_kept():
    recipe = DeepPickerRecipe(decay="cosine")
    rates = [recipe.rate(epoch, 8, []) for epoch in (0, 2, 4, 6, 8)]
    assert rates == pytest.approx([1, 0.5 + 8**-0.5, 0.5, 0.5 - 8**-0.5, 0])
    assert not recipe.validation_chooses
    assert DeepPickerRecipe().validation_chooses


def test_a_short_recipe_finds_spots_on_another_micrograph():
    torch.manual_seed(0)
    recipe, rng = DeepPickerRecipe(particle_px=40, batch=32, hidden=32), np.random.default_rng(0)
    image, centres = dark_spots(0)
    micrograph = LabelledMicrograph("m", "d", recipe.prepare(image), centres)
    network = recipe.build().to(memory_format=torch.channels_last)
    optimiser = recipe.optimiser(network, recipe.learning_rate)
    for _ in range(60):
        images, targets = batch(recipe, micrograph, rng)
        optimiser.zero_grad()
        recipe.loss(network(images), targets, 0).backward()
        optimiser.step()
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
    assert isinstance(picker, DeepPickerPicker)
    image, centres = dark_spots(1)
    found = picker.pick(image)
    away = np.hypot(
        found.x[: len(centres), None] - centres[:, 0], found.y[: len(centres), None] - centres[:, 1]
    )
    assert (away.min(0) < 12).mean() >= 0.8
