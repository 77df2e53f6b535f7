import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cryopick_ray.errors import ModelError
from cryopick_ray.pickers.deepem.networks import (
    KLH,
    MAX_BOX_PX,
    MIN_BOX_PX,
    POOLS,
    PROTEASOME_19S,
    DeepEMNetwork,
    plan_for,
)
from cryopick_ray.pickers.weights import restore

BOX = 32


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
