"""The losses of a heat-map network's outputs."""

import math

import numpy as np
import pytest
import torch

from cryopick_ray.training.recipes.heatmap import HeatmapRecipe, junk_loss, near_loss, size_loss
from cryopick_ray.training.recipes.painted_peaks import paint, paint_discs

RECIPE = HeatmapRecipe(base=4, crop_px=96)
CELLS_PX = np.arange(32) * 2 + 0.5
"""Centres of the outputs of a 64 px crop, along either axis."""


def target_of(places, unsure=(), size=1.0):
    peaks = paint(np.array(places, np.float32).reshape(-1, 2), CELLS_PX, 1.8)
    weights = (paint(np.array(unsure, np.float32).reshape(-1, 2), CELLS_PX, 10.0) < math.exp(-0.5)).astype(
        np.float32
    )
    near = paint_discs(np.array(places, np.float32).reshape(-1, 2), CELLS_PX, 6.0).astype(np.float32)
    unknown = np.full_like(peaks, -1)
    return torch.from_numpy(np.stack([peaks, weights, np.full_like(peaks, np.log(size)), near, unknown]))[
        None
    ]


def answer_of(logits, size=1.0):
    """Return what a model answers that knows neither nearness nor junk."""
    return torch.cat([logits, torch.full_like(logits, float(np.log(size)))], dim=1)


def test_a_full_model_learns_nearness_and_junk_too():
    target = target_of([(20.2, 31.4), (50, 8)])
    target[:, 4] = 3
    centres = torch.where(target[:, :1] == 1, 40.0, -40.0)
    near = torch.where(target[:, 3:4] == 1, 40.0, -40.0)
    junk = torch.full((1, 6, 32, 32), -40.0)
    junk[:, 3] = 40
    sizes = torch.zeros_like(near)
    perfect = [answer_of(centres)[:, :1], sizes, near, junk]
    it = RECIPE
    assert it.loss(torch.cat(perfect, 1), target, 0).item() < 1e-10
    for wrong in (2, 3):
        others = [part if at != wrong else -part for at, part in enumerate(perfect)]
        assert it.loss(torch.cat(others, 1), target, 0).item() > 5
    target[:, 4] = -1  # nobody said what lies there
    assert it.loss(torch.cat([*perfect[:3], -junk], 1), target, 0).item() < 1e-10


def test_the_loss_of_nearness_is_least_at_the_share_that_is_near():
    near = torch.zeros(1, 10, 10)
    near[0, :3] = 1
    guesses = torch.linspace(0.05, 0.95, 19)
    losses = [near_loss(torch.logit(torch.full_like(near, p)), near, torch.ones_like(near)) for p in guesses]
    assert guesses[int(np.argmin(losses))] == pytest.approx(0.3, abs=1e-6)


def test_junk_is_judged_where_it_is_known_alone():
    codes = torch.tensor([[[-1.0, 0, 6], [2, 5, -1]]])
    logits = torch.randn(1, 6, 2, 3, generator=torch.Generator().manual_seed(1))
    known = [(0, 1, 0), (1, 0, 2), (1, 1, 5)]
    by_hand = np.mean([-torch.log_softmax(logits[0, :, y, x], 0)[kind].item() for y, x, kind in known])
    assert junk_loss(logits, codes, torch.ones_like(codes)).item() == pytest.approx(by_hand, rel=1e-5)
    assert junk_loss(logits, torch.full_like(codes, -1), torch.ones_like(codes)).item() == 0


def test_perfect_answers_cost_nothing_and_certain_errors_much():
    target = target_of([(20.2, 31.4), (50, 8)])
    perfect = torch.where(target[:, :1] == 1, 40.0, -40.0)
    assert RECIPE.loss(answer_of(perfect), target, 0).item() < 1e-12
    assert RECIPE.loss(answer_of(-perfect), target, 0).item() > 40
    assert torch.isfinite(RECIPE.loss(answer_of(perfect * 1e4), target, 0))
    assert RECIPE.loss(answer_of(torch.full_like(perfect, -40)), target_of([]), 0).item() < 1e-12


def test_a_size_costs_half_its_logarithmic_error_and_at_centres_alone():
    target = target_of([(20.2, 31.4), (50, 8)], size=1.5)
    perfect = torch.where(target[:, :1] == 1, 40.0, -40.0)
    for guess in (1.0, 1.5, 3.0):
        loss = RECIPE.loss(answer_of(perfect, guess), target, 0).item()
        assert loss == pytest.approx(abs(np.log(guess / 1.5)) / 2, abs=1e-6)
    elsewhere = answer_of(perfect, 1.5)
    elsewhere[:, 1][target[:, 0] != 1] = 9.0
    assert RECIPE.loss(elsewhere, target, 0).item() < 1e-6
    assert size_loss(elsewhere[:, 1], target[:, 2], torch.zeros_like(target[:, 2])).item() == 0


def test_answers_at_unsure_places_do_not_matter():
    target = target_of([(12, 12)], unsure=[(45, 45)])
    logits = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    other = logits.clone()
    near = torch.from_numpy(np.hypot(CELLS_PX[:, None] - 45, CELLS_PX[None] - 45) < 10 - 1e-3)
    other[0, 0, near] += 7
    it = RECIPE
    assert it.loss(answer_of(logits), target, 0) == it.loss(answer_of(other), target, 0)
    other[0, 0, 2, 28] += 7
    assert it.loss(answer_of(logits), target, 0) < it.loss(answer_of(other), target, 0)
