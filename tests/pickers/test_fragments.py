import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cryopick_ray.pickers.deepem.networks import DeepEMNetwork
from cryopick_ray.pickers.deeppicker.networks import DeepPickerNetwork
from cryopick_ray.pickers.fragments import slide


def one_by_one(network, images, size, step):
    windows = images[:, 0].unfold(1, size, step).unfold(2, size, step)
    answers = network(windows.reshape(-1, 1, size, size))
    return answers.view(*windows.shape[:3], -1).permute(0, 3, 1, 2)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(64, 110), st.integers(64, 110), st.integers(0, 99))
def test_deeppicker_slid_over_an_image_is_deeppicker_asked_about_each_window(step, height, width, seed):
    torch.manual_seed(seed)
    network = DeepPickerNetwork("deeppicker", 8).eval()
    images = torch.randn(2, 1, height, width)
    with torch.inference_mode():
        slid = network(images, step_px=step)
        torch.testing.assert_close(slid, one_by_one(network, images, 64, step), atol=1e-5, rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(48, 90), st.integers(48, 90), st.integers(0, 1), st.integers(24, 48))
def test_deepem_slid_over_an_image_is_deepem_asked_about_each_window(step, height, width, relu, box_px):
    torch.manual_seed(step)
    network = DeepEMNetwork("deepem", box_px, relu).eval()
    images = torch.randn(2, 1, height, width)
    with torch.inference_mode():
        for parameter in network.parameters():
            parameter *= 3  # a fresh network answers nearly the same to all
        slid = network(images, step_px=step)
        torch.testing.assert_close(slid, one_by_one(network, images, box_px, step), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("step", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("pool", [nn.MaxPool2d, nn.AvgPool2d])
def test_unequal_poolings_at_any_step(pool, step):
    torch.manual_seed(step)
    # 38 -> 36 -> 12 -> 8 -> 4 -> 2 -> 1
    layers = [nn.Conv2d(1, 3, 3), pool(3), nn.Conv2d(3, 4, 5), nn.Tanh(), pool(2), pool(2), nn.Linear(16, 5)]
    network = nn.Sequential(*layers[:-1], nn.Flatten(), layers[-1])
    images = torch.randn(1, 1, 61, 53)
    with torch.inference_mode():
        slid = slide(layers, images, size_px=38, step_px=step)
        torch.testing.assert_close(slid, one_by_one(network, images, 38, step), atol=1e-5, rtol=1e-5)
