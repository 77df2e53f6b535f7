"""Painted peaks and discs, and the focal loss over them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.training.recipes.painted_peaks import focal_loss, paint, paint_discs

PLACES = st.floats(-20, 84, width=32)
CELLS_PX = np.arange(32) * 2 + 0.5
"""Centres of the outputs of a 64 px crop, along either axis."""


@given(x=PLACES, y=PLACES)
def test_a_centre_is_painted_one_in_its_own_cell(x, y):
    peaks = paint(np.float32([[x, y]]), CELLS_PX, 1.8)
    assert peaks.shape == (32, 32)
    assert peaks.dtype == np.float32
    ones = np.argwhere(peaks == 1)
    if -0.5 <= x < 63.5 and -0.5 <= y < 63.5:
        assert ones.shape == (1, 2)
        row, column = ones[0]
        assert abs(CELLS_PX[column] - x) <= 1 + 1e-4
        assert abs(CELLS_PX[row] - y) <= 1 + 1e-4
        peaks[row, column] = 0
    else:
        assert not len(ones)
    away = np.hypot(CELLS_PX[:, None] - y, CELLS_PX[None] - x)
    expected = np.exp(-(away**2) / (2 * 1.8**2))
    if len(ones):
        expected[tuple(ones[0])] = 0
    np.testing.assert_allclose(peaks, expected, atol=4e-4)  # painted as far as four sigma


@given(st.lists(st.tuples(PLACES, PLACES), max_size=5))
def test_of_overlapping_peaks_the_highest_counts(places):
    together = paint(np.array(places, np.float32).reshape(-1, 2), CELLS_PX, 3.0)
    alone = [paint(np.float32([place]), CELLS_PX, 3.0) for place in places]
    np.testing.assert_array_equal(together, np.max(alone, axis=0) if alone else np.zeros((32, 32)))


@given(st.lists(st.tuples(PLACES, PLACES), min_size=1, max_size=4))
def test_painting_commutes_with_the_turns_of_a_square(places):
    centres = np.array(places, np.float32).astype(np.float64)
    whole = paint(centres, CELLS_PX, 2.0)
    on_edge = (np.abs((centres + 0.5) / 2 - np.rint((centres + 0.5) / 2)) < 1e-6).any()
    if on_edge:  # between two cells a centre belongs to one of them
        return
    np.testing.assert_allclose(paint(centres[:, ::-1], CELLS_PX, 2.0), whole.T, atol=4e-4)
    np.testing.assert_allclose(paint(63 - centres, CELLS_PX, 2.0), whole[::-1, ::-1], atol=4e-4)


def focal_by_hand(logits, peaks, weights):
    total, centres = 0.0, 0.0
    for g, y, w in zip(*(a.flatten().tolist() for a in (logits, peaks, weights)), strict=True):
        p = 1 / (1 + math.exp(-g))
        if y == 1:
            total += -w * (1 - p) ** 2 * math.log(p)
            centres += w
        else:
            total += -w * (1 - y) ** 4 * p**2 * math.log(1 - p)
    return total / max(centres, 1)


@given(seed=st.integers(0, 999), centres=st.integers(0, 6), judged=st.floats(0, 1))
def test_the_loss_is_that_of_the_paper(seed, centres, judged):
    rng = np.random.default_rng(seed)
    logits, peaks = rng.normal(0, 3, (2, 3, 4)), rng.uniform(0, 0.99, (2, 3, 4))
    peaks.flat[rng.permutation(24)[:centres]] = 1
    weights = (rng.uniform(size=(2, 3, 4)) < judged).astype(float)
    loss = focal_loss(*map(torch.from_numpy, (logits, peaks, weights)))
    assert loss.item() == pytest.approx(focal_by_hand(logits, peaks, weights), rel=1e-6, abs=1e-12)


@given(st.lists(st.tuples(PLACES, PLACES), max_size=4), st.floats(1, 12))
def test_discs_hold_the_cells_within_their_radius(places, radius_px):
    marks = paint_discs(np.array(places, np.float32).reshape(-1, 2), CELLS_PX, radius_px)
    away = [np.hypot(CELLS_PX[:, None] - y, CELLS_PX[None] - x) <= radius_px for x, y in places]
    np.testing.assert_array_equal(marks, np.any(away, axis=0) if places else np.zeros((32, 32), bool))
