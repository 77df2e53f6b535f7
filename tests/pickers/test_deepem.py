import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cryopick_ray.errors import MicrographError, ModelError, UsageError
from cryopick_ray.pickers.deepem.networks import (
    KLH,
    MAX_BOX_PX,
    MIN_BOX_PX,
    POOLS,
    PROTEASOME_19S,
    DeepEMNetwork,
    plan_for,
)
from cryopick_ray.pickers.deepem.picker import DeepEMPicker
from cryopick_ray.pickers.weights import ModelCard, restore, weights_digest

BOX = 32


class DarkMiddle(DeepEMNetwork):
    """Answers that grow with the darkness of the box's middle: a network whose answers are known."""

    def forward(self, boxes):
        return torch.sigmoid(-3 * boxes[..., 12:20, 12:20].mean((2, 3)) - 2)


def model(seed=0, kind=DeepEMNetwork, **changes):
    torch.manual_seed(seed)
    network = kind("deepem", BOX)
    card = {
        "name": "tiny",
        "architecture": "deepem",
        "parameters": {"box_px": BOX, "relu": 0},
        "particle_px": 20.0,
        "normalisation": "z-score",
        "trained_on": "nothing",
        "licence": "CC0-1.0",
        "source": "a test",
        "digest": weights_digest(network.state_dict()),
    }
    return network, ModelCard.model_validate(card | changes)


def spots(shape, centres, sigma=5.0):
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.random.default_rng(0).normal(scale=0.3, size=shape)
    for at_x, at_y in centres:
        image -= 2 * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * sigma**2))
    return image.astype(np.float32)


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(3, 2, (91, 123)).astype(np.float32)


@pytest.mark.parametrize(
    ("architecture", "box_px", "sides", "parameters"),
    [
        ("deepem-klh", 272, (222, 74, 54, 27, 18, 9), 62_761),
        ("deepem-19s", 160, (141, 47, 38, 19, 16, 8), 12_703),
        ("deepem", 160, (141, 47, 38, 19, 16, 8), 12_703),
        ("deepem", 64, (57, 19, 16, 8, 6, 3), 2_971),
    ],
)
def test_layers_and_parameters_are_those_of_the_paper(architecture, box_px, sides, parameters):
    network = DeepEMNetwork(architecture, box_px)
    assert plan_for(architecture, box_px).sides() == sides
    x, found = torch.zeros(1, 1, box_px, box_px), []
    for layer in network.convolutions:
        x = layer(x)
        if not isinstance(layer, nn.Sigmoid):
            found.append(x.shape[-1])
    assert tuple(found) == sides
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert network(torch.zeros(2, 1, box_px, box_px)).shape == (2, 1)


def test_the_papers_kernels():
    assert KLH.kernels == (51, 21, 10)
    assert plan_for("deepem", 160) == PROTEASOME_19S


@given(st.integers(MIN_BOX_PX, MAX_BOX_PX))
def test_every_box_has_a_plan_of_whole_layers(box_px):
    plan = plan_for("deepem", box_px)
    side = box_px
    for kernel, pool, share in zip(plan.kernels, POOLS, (8, 16, 40), strict=True):
        assert kernel >= 2
        assert (side - kernel + 1) % pool == 0
        assert abs(kernel - max(2, box_px / share)) <= pool
        side = (side - kernel + 1) // pool
    assert side == plan.sides()[-1] >= 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("deepem-klh", 160),
        ("deepem-19s", 272),
        ("deepem-kl", 272),
        ("deepem", MIN_BOX_PX - 1),
        ("deepem", 10**6),
        ("deepem", 64, 2),
    ],
)
def test_other_networks_are_refused(arguments):
    with pytest.raises(ModelError, match="expected"):
        DeepEMNetwork(*arguments)


@pytest.mark.parametrize("relu", [0, 1])
def test_everything_is_in_the_state_and_answers_are_0_to_1(relu):
    network = DeepEMNetwork("deepem", BOX, relu)
    copy = restore(lambda: DeepEMNetwork("deepem", BOX, relu), network.state_dict(), "copy")
    boxes = 100 * torch.randn(9, 1, BOX, BOX)
    answers = network(boxes)
    assert torch.equal(copy(boxes), answers)
    assert 0 <= answers.min() < answers.max() <= 1


@pytest.mark.parametrize("relu", [0, 1])
def test_a_sure_answer_of_half_precision_can_still_be_corrected(relu):
    network = DeepEMNetwork("deepem", BOX, relu)
    torch.nn.init.constant_(network.output.bias, 9.0)
    torch.nn.init.zeros_(network.output.weight)
    with torch.autocast("cpu", torch.bfloat16):
        answer = network(torch.randn(3, 1, BOX, BOX))
    answer.square().sum().backward()
    assert answer.dtype == torch.float32
    assert (answer < 1).all()
    assert network.output.bias.grad > 0


def test_relu_is_another_network():
    sigmoid, relu = DeepEMNetwork("deepem", BOX), DeepEMNetwork("deepem", BOX, 1)
    relu.load_state_dict(sigmoid.state_dict())
    boxes = torch.randn(2, 1, BOX, BOX)
    assert not torch.allclose(sigmoid(boxes), relu(boxes), atol=1e-3)


def test_the_score_does_not_depend_on_the_orientation():
    picker = DeepEMPicker(*model())
    boxes = torch.randn(5, BOX, BOX)
    with torch.inference_mode():
        for parameter in picker.network.parameters():
            parameter *= 8  # a fresh network answers nearly the same to all
        upright = picker.probability(boxes)
        for turns in (1, 2, 3):
            turned = picker.probability(torch.rot90(boxes, turns, (1, 2)))
            torch.testing.assert_close(turned, upright, atol=1e-6, rtol=0)
        one = picker.network(boxes[:, None])[:, 0]
    assert not torch.allclose(one, upright, atol=1e-4)


def test_particles_are_found_where_they_are():
    centres = [(40.0, 30.0), (81.5, 41.0), (60.0, 90.0), (12.0, 70.0)]
    found = DeepEMPicker(*model(kind=DarkMiddle)).pick(spots((110, 120), centres))
    for x, y in centres:
        assert np.hypot(found.x[:4] - x, found.y[:4] - y).min() < 1


def test_picks_keep_clear_of_the_edges_and_of_each_other(image):
    picker = DeepEMPicker(*model())
    found = picker.pick(image)
    assert len(found) > 3
    assert found.x.dtype == found.y.dtype == found.score.dtype == np.float32
    assert (np.diff(found.score) <= 0).all()
    for at, side in ((found.x, 123), (found.y, 91)):
        assert at.min() >= 9.5
        assert at.max() <= side - 10.5
    apart = np.hypot(found.x[:, None] - found.x, found.y[:, None] - found.y)
    assert apart[np.triu_indices(len(found), 1)].min() > 10 - 2  # a vertex moves half a stride
    assert picker.pick(image).x.tobytes() == found.x.tobytes()


def test_boxes_of_unusual_contrast_are_skipped():
    image = spots((160, 160), [(30, 30), (130, 130)])
    image[80:, 80:] *= 20
    image[80:, :80] *= 0.001
    strict = DeepEMPicker(*model(kind=DarkMiddle), min_std=0.5, max_std=2)
    found = strict.pick(image)
    assert np.hypot(found.x[0] - 30, found.y[0] - 30) < 1
    assert not ((found.x > 100) & (found.y > 100)).any()
    assert not ((found.x < 60) & (found.y > 100)).any()
    lenient = DeepEMPicker(*model(kind=DarkMiddle), min_std=0, max_std=1e9).pick(image)
    assert ((lenient.x > 100) & (lenient.y > 100)).any()
    assert ((lenient.x < 60) & (lenient.y > 100)).any()


def test_an_image_smaller_than_a_particle_has_none():
    assert len(DeepEMPicker(*model()).pick(np.random.default_rng(0).random((15, 90), np.float32))) == 0


def test_images_without_contrast_are_refused():
    for value in (1.0, np.nan):
        with pytest.raises(MicrographError):
            DeepEMPicker(*model()).pick(np.full((80, 80), value, np.float32))


def test_settings_are_json_and_tell_pickers_apart():
    pickers = [
        DeepEMPicker(*model()),
        DeepEMPicker(*model(seed=1)),
        DeepEMPicker(*model(), particle_px=30),
        DeepEMPicker(*model(), min_std=0.1),
        DeepEMPicker(*model(), max_std=9),
    ]
    assert len({json.dumps(picker.settings(), sort_keys=True) for picker in pickers}) == len(pickers)


def test_wrong_settings_are_refused():
    with pytest.raises(ModelError, match="topaz-gmm"):
        DeepEMPicker(*model(normalisation="topaz-gmm"))
    for size in (0.0, -3.0, float("nan")):
        with pytest.raises(UsageError, match="--particle-px"):
            DeepEMPicker(*model(), particle_px=size)
    for limits in ((1.5, 2), (-1, 2), (0.5, 0.9), (0.5, float("nan"))):
        with pytest.raises(UsageError, match="min_std"):
            DeepEMPicker(*model(), min_std=limits[0], max_std=limits[1])
    with pytest.raises(UsageError, match="--device"):
        DeepEMPicker(*model(), device="nowhere")
