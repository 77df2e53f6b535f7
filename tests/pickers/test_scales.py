import numpy as np
import pytest

from cryopick_ray.micrographs.resample import fourier_resize
from cryopick_ray.pickers.heatmap.scales import HALVINGS, Scales


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).normal(size=(203, 214)).astype(np.float32)


@pytest.mark.parametrize("target_A", [1.5, 2.0, 3.7, 5.0, 9.0, 21.0])
def test_a_coarse_scale_is_the_micrograph_cropped_once(image, target_A):
    scales = Scales(image, 2.0)
    pixels, area_A2 = scales.middle(1000.0, target_A)
    whole = image[:200, :208]
    assert np.abs(pixels - fourier_resize(whole, pixels.shape)).max() < 1e-4
    assert pixels.shape == pytest.approx(np.array(whole.shape) * 2.0 / target_A, abs=1)
    assert area_A2 == whole.size * 4.0
    assert scales.side_A == 400.0


def test_the_middle_is_no_larger_than_asked(image):
    spot = np.zeros_like(image)
    spot[90:110, 94:114] = 1
    pixels, area_A2 = Scales(spot, 2.0).middle(48.0, 8.0)
    assert pixels.shape == (6, 6)
    assert area_A2 == 48.0**2
    assert np.abs(pixels[2:4, 2:4] - 1).max() < 0.3


@pytest.mark.parametrize("side", [1, 2**HALVINGS - 1])
def test_what_is_smaller_than_a_coarse_pixel_has_no_size(side):
    assert Scales(np.ones((side, 50), np.float32), 2.0).side_A == 0
