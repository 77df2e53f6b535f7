import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import MicrographError
from cryopick_ray.pickers import grey_values
from cryopick_ray.pickers.grey_values import centre_and_sigma, refuse_without_contrast, sampled


@given(st.integers(1, 40), st.integers(1, 3))
def test_the_centre_is_the_median_and_sigma_the_scaled_deviation(count, images):
    values = np.random.default_rng(count).normal(3, 2, (images, count)).astype(np.float32)
    centre, sigma = centre_and_sigma(torch.from_numpy(values))
    lower = (count - 1) // 2
    for row, middle, spread in zip(values, centre[:, 0].numpy(), sigma[:, 0].numpy(), strict=True):
        assert middle == np.sort(row)[lower]
        assert spread == pytest.approx(1.4826 * np.sort(np.abs(row - middle))[lower], rel=1e-5)


def test_both_ways_to_the_median_agree():
    values = torch.randn(3, 1000)
    there = values.median(dim=1, keepdim=True).values  # as on a GPU
    assert torch.equal(centre_and_sigma(values)[0], there)


def test_small_images_are_sampled_whole_and_large_ones_evenly(monkeypatch):
    images = torch.arange(2 * 40 * 30).reshape(2, 40, 30).float()
    assert torch.equal(sampled(images), images.flatten(1))
    monkeypatch.setattr(grey_values, "SAMPLE", 300)  # of 1200
    some = sampled(images)
    assert some.shape == (2, 240)
    assert (some.diff(dim=1) == 5).all()


def test_a_chequered_image_is_sampled_on_both_colours(monkeypatch):
    monkeypatch.setattr(grey_values, "SAMPLE", 500)
    y, x = np.indices((40, 50))
    some = sampled(torch.from_numpy((x + y) % 2).float()[None])
    assert some.mean().item() == pytest.approx(0.5, abs=0.05)


def test_images_with_contrast_pass():
    refuse_without_contrast(torch.randn(3, 5, 7))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("image", [0, 2])
def test_what_is_no_number_is_refused_wherever_it_is(image, bad):
    images = torch.randn(3, 5, 7)
    images[image, 4, 6] = bad
    with pytest.raises(MicrographError, match="NaN or infinite"):
        refuse_without_contrast(images)


def test_a_constant_image_is_refused_among_others():
    images = torch.randn(3, 5, 7)
    images[1] = 7.5
    with pytest.raises(MicrographError, match=r"constant \(7.5\)"):
        refuse_without_contrast(images)
    with pytest.raises(MicrographError, match="empty"):
        refuse_without_contrast(torch.zeros(2, 0, 5))
