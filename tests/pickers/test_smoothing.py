import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cryopick_ray.pickers.smoothing import SIGMAS, smoothed


@pytest.mark.parametrize("sigma_px", [0.3, 1.07, 4.0])
@pytest.mark.parametrize("shape", [(40, 33), (3, 50), (1, 1)])
def test_it_is_a_gaussian_that_mirrors_at_the_edges(sigma_px, shape):
    maps = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    reach_px = int(np.ceil(SIGMAS * sigma_px))
    expected = [gaussian_filter(one.astype(float), sigma_px, mode="reflect", radius=reach_px) for one in maps]
    np.testing.assert_allclose(smoothed(torch.from_numpy(maps), sigma_px), expected, atol=1e-5)


@pytest.mark.parametrize("maps", [torch.rand(2, 5, 7), torch.empty(2, 0, 7)])
def test_without_sigma_or_maps_nothing_is_done(maps):
    assert torch.equal(smoothed(maps, 0.0), maps)
    assert smoothed(torch.empty(2, 0, 7), 1.0).shape == (2, 0, 7)
