"""Peaks of a smoothed map: where scores are high all around a centre, the centre is found."""

import numpy as np
import pytest
import torch
from test_deeppicker import model

from cryopick_ray.pickers.centring import smoothed_maps
from cryopick_ray.pickers.deeppicker.picker import DeepPickerPicker
from cryopick_ray.pickers.peaks import find_peaks

DIAMETER = 30


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
    smooth = smoothed_maps(torch.from_numpy(score)[None], sigma_px=0.3 * DIAMETER, floor=0.0)[0]
    found = find_peaks(smooth.numpy(), radius_px=DIAMETER / 2, floor=0.05)
    for peaks, low, high in ((plain, 0.2, 0.4), (found, 0, 0.1)):
        best = np.column_stack([peaks.x, peaks.y])[:3]
        away = np.linalg.norm(best[:, None] - centres[None], axis=-1).min(1) / DIAMETER
        assert ((away >= low) & (away <= high)).all()


def test_smoothing_keeps_the_mean_and_what_is_no_peak():
    maps = torch.rand(2, 40, 30)
    flat = torch.full((1, 9, 9), 0.3)
    torch.testing.assert_close(smoothed_maps(flat, sigma_px=2, floor=0), flat)
    assert smoothed_maps(maps, sigma_px=3, floor=0).std() < 0.3 * maps.std()
    maps[:, 5, 5] = -torch.inf
    smooth = smoothed_maps(maps, sigma_px=1.5, floor=0)
    assert torch.equal(torch.isinf(smooth), torch.isinf(maps))


@pytest.mark.parametrize("sigma", [0.1, 0.3])
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
