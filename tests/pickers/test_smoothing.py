import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from test_deeppicker import model

from cryopick_ray.pickers.deeppicker.picker import DeepPickerPicker
from cryopick_ray.pickers.peaks import find_peaks
from cryopick_ray.pickers.smoothing import SIGMAS, smoothed

DIAMETER = 30


@pytest.mark.parametrize("sigma_px", [0.3, 1.07, 4.0])
@pytest.mark.parametrize("shape", [(40, 33), (3, 50), (1, 1)])
def test_it_is_a_gaussian_that_mirrors_at_the_edges(sigma_px, shape):
    maps = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    reach_px = int(np.ceil(SIGMAS * sigma_px))
    expected = [
        gaussian_filter(score_map.astype(float), sigma_px, mode="reflect", radius=reach_px)
        for score_map in maps
    ]
    np.testing.assert_allclose(smoothed(torch.from_numpy(maps), sigma_px, floor=-100), expected, atol=1e-5)


@pytest.mark.parametrize("maps", [torch.rand(2, 5, 7), torch.empty(2, 0, 7)])
def test_without_sigma_or_maps_nothing_is_done(maps):
    assert torch.equal(smoothed(maps, 0.0, floor=0), maps)
    assert smoothed(torch.empty(2, 0, 7), 1.0, floor=0).shape == (2, 0, 7)


def test_what_is_no_peak_stays_none():
    maps = torch.rand(2, 40, 30)
    maps[:, 5, 5] = -torch.inf
    smooth = smoothed(maps, 1.5, floor=0)
    assert torch.equal(torch.isinf(smooth), torch.isinf(maps))


def wall(shape, centres, radius):
    """Scores of a detector of walls, uneven along each."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    score = np.zeros(shape, np.float32)
    for at_x, at_y in centres:
        away, turn = np.hypot(y - at_y, x - at_x), np.arctan2(y - at_y, x - at_x)
        score += (0.8 + 0.2 * np.cos(turn)) * np.exp(-((away - radius) ** 2) / 8)
    return score


def test_the_middle_of_a_wall_is_the_peak_of_the_smoothed_map():
    """Picks of the map itself lie on the wall; those through a Gaussian within a tenth of a diameter."""
    centres = np.float32([[40, 50], [110, 60], [70, 120]])
    score = wall((160, 150), centres, 0.3 * DIAMETER)
    plain = find_peaks(score, radius_px=DIAMETER / 2, floor=0.05)
    smooth = smoothed(torch.from_numpy(score)[None], 0.3 * DIAMETER, floor=0.0)[0]
    found = find_peaks(smooth.numpy(), radius_px=DIAMETER / 2, floor=0.05)
    for peaks, low, high in ((plain, 0.2, 0.4), (found, 0, 0.1)):
        best = np.column_stack([peaks.x, peaks.y])[:3]
        away = np.linalg.norm(best[:, None] - centres[None], axis=-1).min(1) / DIAMETER
        assert ((away >= low) & (away <= high)).all()


@pytest.mark.parametrize("sigma", [0.2, 0.4])
def test_a_smoothed_picker_has_fewer_peaks_and_leaves_the_picker_as_it_is(sigma):
    network, card = model()
    picker = DeepPickerPicker(network, card)
    image = np.random.default_rng(0).normal(size=(260, 300)).astype(np.float32)
    before = picker.pick(image)
    smooth = picker.smoothed(sigma).pick(image)
    again = picker.pick(image)
    assert len(smooth) <= len(before)
    assert len(smooth) == 0 or smooth.score.max() < before.score.max()
    np.testing.assert_array_equal(again.score, before.score)
