import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopick_ray.micrographs.resample import fourier_resize
from cryopick_ray.pickers.device import resize
from cryopick_ray.pickers.device.resize import fourier_resize_on_device

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def noise(count, shape):
    """Images of standard deviation 1."""
    rng = np.random.default_rng(shape[0] * 100 + shape[1])
    return rng.normal(size=(count, *shape)).astype(np.float32)


def assert_resized_alike(images, shape, device="cpu"):
    found = fourier_resize_on_device(torch.from_numpy(images).to(device), shape)
    assert found.dtype == torch.float32
    assert found.device.type == device
    expected = np.stack([fourier_resize(image, shape) for image in images])
    np.testing.assert_allclose(found.cpu().numpy(), expected, rtol=0, atol=1e-5)


@settings(max_examples=300)
@given(st.integers(1, 3), SHAPES, SHAPES)
def test_each_image_is_resized_as_fourier_resize_resizes_it(count, source, shape):
    assert_resized_alike(noise(count, source), shape)


@pytest.mark.parametrize("shape", [(171, 228), (170, 227), (512, 684), (601, 599), (512, 300), (300, 683)])
@pytest.mark.parametrize("source", [(512, 683), (511, 684)])
def test_images_of_a_micrographs_kind_are_resized_alike(source, shape):
    assert_resized_alike(noise(2, source), shape)


def test_half_precision_images_are_resized_in_float32():
    images = noise(2, (96, 131)).astype(np.float16)
    assert_resized_alike(images, (47, 60))
    assert_resized_alike(images, (96, 131))


def test_blocks_of_rows_do_not_show_on_the_device(monkeypatch):
    images = torch.from_numpy(noise(3, (37, 30)))
    whole = fourier_resize_on_device(images, (20, 16))
    monkeypatch.setattr(resize, "BLOCK_PIXELS", 200)
    torch.testing.assert_close(fourier_resize_on_device(images, (20, 16)), whole, rtol=0, atol=1e-6)


def test_the_images_are_left_as_they_were_by_resizing():
    images = noise(2, (30, 40))
    given_images = torch.from_numpy(images.copy())
    for shape in [(30, 40), (15, 20), (60, 80)]:
        fourier_resize_on_device(given_images, shape)
    np.testing.assert_array_equal(given_images.numpy(), images)


@pytest.mark.gpu
@pytest.mark.parametrize("shape", [(1024, 1024), (1023, 1025), (3000, 2050)])
@pytest.mark.parametrize("source", [(2048, 2048), (1500, 2047)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_gpu_resizes_alike(source, shape, dtype):
    assert_resized_alike(noise(2, source).astype(dtype), shape, device="cuda")
