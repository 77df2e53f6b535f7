import json

import numpy as np
import pytest
import torch
from torch import nn

from cryopick_ray.errors import MicrographError, ModelError, UsageError
from cryopick_ray.pickers.deeppicker.networks import DeepPickerNetwork
from cryopick_ray.pickers.deeppicker.picker import DeepPickerPicker
from cryopick_ray.pickers.patches import z_scored
from cryopick_ray.pickers.scoring import EXACT, Scoring
from cryopick_ray.pickers.weights import ModelCard, restore, weights_digest

FAST = Scoring(exact=False)
EVERY = pytest.mark.parametrize("scoring", [EXACT, FAST], ids=["exact", "fast"])


def dark_middle():
    """A network whose logits grow with the darkness of the patch's middle."""
    network = DeepPickerNetwork("deeppicker", 8)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        first, second, third, fourth = (
            convolution for convolution in network.convolutions if isinstance(convolution, nn.Conv2d)
        )
        first.weight[0] = -1 / 81
        second.weight[0, 0, 2, 2] = third.weight[0, 0, 1, 1] = 1
        fourth.weight[0, 0] = 1 / 4
        network.classifier[0].weight[0, :4] = 1
        network.classifier[3].weight[1, 0] = 1
        network.classifier[3].bias[1] = -4
    return network, card_of(network)


def card_of(network, **changes):
    card = {
        "name": "tiny",
        "architecture": "deeppicker",
        "parameters": {"hidden": 8},
        "particle_px": 40.0,
        "normalisation": "z-score",
        "trained_on": "nothing",
        "licence": "CC0-1.0",
        "source": "a test",
        "digest": weights_digest(network.state_dict()),
    }
    return ModelCard.model_validate(card | changes)


def model(seed=0, **changes):
    torch.manual_seed(seed)
    network = DeepPickerNetwork("deeppicker", 8)
    return network, card_of(network, **changes)


def discs(shape, centres, radius=20.0):
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.random.default_rng(0).normal(scale=0.3, size=shape)
    for at_x, at_y in centres:
        image -= 2 * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / radius**2 * 2)
    return image.astype(np.float32)


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(3, 2, (131, 173)).astype(np.float32)


@pytest.mark.parametrize(("hidden", "parameters"), [(256, 83_074), (128, 49_922), (64, 33_346)])
def test_parameters_are_those_of_the_paper(hidden, parameters):
    convolutions = (1 * 9 * 9 + 1) * 8 + (8 * 5 * 5 + 1) * 16 + (16 * 3 * 3 + 1) * 32 + (32 * 2 * 2 + 1) * 64
    assert parameters == convolutions + (64 * 2 * 2 + 1) * hidden + (hidden + 1) * 2
    network = DeepPickerNetwork("deeppicker", hidden)
    assert sum(p.numel() for p in network.parameters()) == parameters


def test_layers_have_the_sides_of_the_paper():
    network = DeepPickerNetwork("deeppicker")
    sides, x = [], torch.zeros(3, 1, 64, 64)
    for layer in network.convolutions:
        x = layer(x)
        if not isinstance(layer, nn.ReLU):
            sides.append(x.shape[-1])
    assert sides == [56, 28, 24, 12, 10, 5, 4, 2]
    assert network(torch.zeros(3, 1, 64, 64)).shape == (3, 2)


def test_everything_is_in_the_state():
    network, _ = model()
    copy = restore(lambda: DeepPickerNetwork("deeppicker", 8), network.state_dict(), "copy")
    patches = torch.randn(2, 1, 64, 64)
    assert torch.equal(copy(patches), network.eval()(patches))


@pytest.mark.parametrize("arguments", [("deepicker", 256), ("deeppicker", 0), ("deeppicker", 10**9)])
def test_other_networks_are_refused(arguments):
    with pytest.raises(ModelError, match="expected"):
        DeepPickerNetwork(*arguments)


@EVERY
def test_brightness_and_contrast_do_not_matter(image, scoring):
    picker = DeepPickerPicker(*model(), scoring=scoring)
    one, other = picker.pick(image), picker.pick(7 * image - 50)
    np.testing.assert_allclose(one.score, other.score, atol=1e-4)
    assert len(one) > 0


@EVERY
def test_particles_are_found_where_they_are(scoring):
    centres = [(60.0, 50.0), (131.5, 71.0), (90.0, 140.0), (28.0, 120.0)]
    found = DeepPickerPicker(*dark_middle(), scoring=scoring).pick(discs((170, 190), centres))
    for x, y in centres:
        assert np.hypot(found.x[:4] - x, found.y[:4] - y).min() < 1.5
    assert (np.diff(found.score) <= 0).all()


@EVERY
def test_smoothing_finds_the_middle_of_a_hollow_particle(scoring):
    """The network answers to dark walls; the paper's way, without smoothing, picks those."""
    centres = [(60.0, 60.0), (140.5, 71.0), (90.0, 150.0)]
    y, x = np.mgrid[:210, :220]
    image = np.random.default_rng(0).normal(scale=0.1, size=y.shape)
    for at_x, at_y in centres:
        image -= 2 * np.exp(-((np.hypot(x - at_x, y - at_y) - 11) ** 2) / 8)
    off = {}
    for smoothing in (0.0, 0.15):
        picker = DeepPickerPicker(*dark_middle(), scoring=scoring).smoothed(smoothing)
        found = picker.pick(image.astype(np.float32))
        off[smoothing] = [np.hypot(found.x[:3] - u, found.y[:3] - v).min() for u, v in centres]
    assert max(off[0.15]) < 2 < 3.5 < min(off[0.0])
    assert picker.settings()["smoothing"] == 0.15


def test_exact_scores_are_those_of_the_patch_around_the_place(image):
    network, card = model()
    picker = DeepPickerPicker(network, card)
    windows = picker.windows(torch.from_numpy(image)[None])
    with torch.inference_mode():
        scores = picker.score_maps(windows)[0]
        padded = np.pad(image, 64, mode="symmetric")
        for row, column in [(0, 0), (7, 20), (windows.shape[1] - 1, windows.shape[2] - 1)]:
            top, left = (int(4 * at + windows.first_px - 31.5) + 64 for at in (row, column))
            patch = z_scored(torch.from_numpy(padded[top : top + 64, left : left + 64].copy()))
            answer = torch.softmax(network(patch[None, None]), 1)[0, 1].item()
            assert answer == pytest.approx(scores[row, column].item(), abs=1e-4)


def test_fast_scores_are_near_exact_ones_where_the_image_is_even():
    network, card = model()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 2  # a fresh network answers nearly the same to all
    images = torch.from_numpy(discs((300, 300), np.random.default_rng(1).uniform(20, 280, (25, 2))))[None]
    with torch.inference_mode():
        exact, fast = (
            picker.score_maps(picker.windows(images)).flatten()
            for picker in (DeepPickerPicker(network, card, scoring=one) for one in (EXACT, FAST))
        )
    assert exact.std() > 0.01
    assert torch.corrcoef(torch.stack([exact, fast]))[0, 1] > 0.8


def test_tiles_do_not_matter(image, monkeypatch):
    picker = DeepPickerPicker(*model(), scoring=FAST)
    images = torch.from_numpy(image)[None]
    with torch.inference_mode():
        whole = picker.score_maps(picker.windows(images))
        monkeypatch.setattr("cryopick_ray.pickers.deeppicker.picker.TILE_PX", 40)
        torch.testing.assert_close(picker.score_maps(picker.windows(images)), whole, atol=1e-6, rtol=0)


@EVERY
def test_several_images_are_picked_as_each_of_them(image, scoring):
    picker = DeepPickerPicker(*model(), scoring=scoring)
    images = [image, np.flipud(image) * 3 + 1, image**2]
    with torch.inference_mode():
        together = picker.pick_many(torch.from_numpy(np.stack(images)))
    for found, alone in zip(together, map(picker.pick, images), strict=True):
        np.testing.assert_allclose(found.score, alone.score, atol=1e-4)
        for name in ("x", "y"):  # of a flat top, rounding moves the vertex
            np.testing.assert_allclose(getattr(found, name), getattr(alone, name), atol=0.01)


@pytest.mark.parametrize(
    ("particle_px", "step_px"), [(5, 1), (20, 2), (28, 2), (29, 4), (42.7, 4), (56, 4), (57, 8), (300, 32)]
)
def test_the_step_is_a_power_of_two_about_a_tenth_of_the_particle(particle_px, step_px):
    assert DeepPickerPicker(*model(), particle_px=particle_px).step_px == step_px


@EVERY
def test_picks_keep_clear_of_the_edges_and_of_each_other(image, scoring):
    picker = DeepPickerPicker(*model(), scoring=scoring)
    found = picker.pick(image)
    assert len(found) > 3
    assert found.x.dtype == found.y.dtype == found.score.dtype == np.float32
    for at, side in ((found.x, 173), (found.y, 131)):
        assert at.min() >= 19.5
        assert at.max() <= side - 20.5
    apart = np.hypot(found.x[:, None] - found.x, found.y[:, None] - found.y)
    assert apart[np.triu_indices(len(found), 1)].min() > 20 - 4  # a vertex moves half a stride
    assert picker.pick(image).x.tobytes() == found.x.tobytes()


@EVERY
def test_an_image_smaller_than_a_particle_has_none(scoring):
    image = np.random.default_rng(0).random((30, 90), np.float32)
    assert len(DeepPickerPicker(*model(), scoring=scoring).pick(image)) == 0


def test_images_without_contrast_are_refused():
    for value in (1.0, np.nan):
        with pytest.raises(MicrographError):
            DeepPickerPicker(*model()).pick(np.full((80, 80), value, np.float32))


def test_settings_are_json_and_tell_pickers_apart():
    pickers = [
        DeepPickerPicker(*model()),
        DeepPickerPicker(*model(seed=1)),
        DeepPickerPicker(*model(), particle_px=50),
        DeepPickerPicker(*model(), scoring=FAST),
        DeepPickerPicker(*model(), scoring=Scoring(exact=False, precision="bfloat16")),
    ]
    assert len({json.dumps(picker.settings(), sort_keys=True) for picker in pickers}) == len(pickers)


def test_wrong_settings_are_refused():
    with pytest.raises(ModelError, match="topaz-gmm"):
        DeepPickerPicker(*model(normalisation="topaz-gmm"))
    for size in (0.0, -3.0, float("nan")):
        with pytest.raises(UsageError, match="`particle_px`"):
            DeepPickerPicker(*model(), particle_px=size)
    with pytest.raises(UsageError, match="`device`"):
        DeepPickerPicker(*model(), device="nowhere")
