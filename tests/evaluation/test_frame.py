"""Coordinates of another frame are refused, or told with what would mend them."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import UsageError
from cryopick_ray.evaluation.frame import FramePair, check_inside, corner_factor, other_frame

SHAPE = (1000, 1400)


def scattered(n=150, seed=1):
    return np.random.default_rng(seed).uniform((0, 0), (SHAPE[1] - 1, SHAPE[0] - 1), (n, 2))


def pair(truth):
    picks = scattered() + np.random.default_rng(2).normal(0, 1, (150, 2))
    return FramePair(picks, truth, SHAPE, radius_px=10)


@given(st.sampled_from([2, 3, 4, 8]), st.integers(0, 99))
def test_coordinates_outside_are_refused_with_a_factor_that_fits(factor, seed):
    large = factor * (scattered(50, seed) + 0.5) - 0.5
    with pytest.raises(UsageError, match="labels of a") as caught:
        check_inside(large, SHAPE, "labels of a")
    binning = float(re.search(r"`binning` ([0-9.]+)", str(caught.value))[1])
    check_inside(binning * (large + 0.5) - 0.5, SHAPE, "labels of a")


def test_the_border_and_its_margin_belong_to_the_micrograph():
    edge = np.array([[-0.5, -0.5], [1399.5, 999.5]])
    check_inside(edge, SHAPE, "labels of a")
    check_inside(edge + 20, SHAPE, "labels of a", margin_px=20)
    with pytest.raises(UsageError, match=r"1 labels of a lie outside its 1400 x 1000 pixels.*x 1400.5"):
        check_inside(edge + 1, SHAPE, "labels of a")
    with pytest.raises(UsageError, match="not binned"):
        check_inside(edge - 1, SHAPE, "labels of a")


@pytest.mark.parametrize(
    ("move", "words"),
    [
        (lambda at: (at + 0.5) / 2 - 0.5, "`binning` 2 "),
        (lambda at: (at + 0.5) / 4 - 0.5, "`binning` 4 "),
        (lambda at: 2 * (at + 0.5) - 0.5, "`binning` 0.5 "),
        (lambda at: at * (1, -1) + (0, SHAPE[0] - 1), "`flip_y`"),
        (lambda at: at * (-1, 1) + (SHAPE[1] - 1, 0), "mirrored in x"),
    ],
)
def test_another_frame_is_told(move, words):
    assert words in other_frame([pair(move(scattered()))])


def test_the_right_frame_and_mere_noise_are_not():
    assert other_frame([pair(scattered())]) is None
    assert other_frame([pair(scattered(seed=7))]) is None
    assert other_frame([pair(scattered(10))]) is None
    assert other_frame([]) is None


def test_picks_need_not_be_exact():
    """As those of the blob detector on real apoferritin, of which a third are this close."""
    near = scattered() + np.random.default_rng(2).normal(0, 3.5, (150, 2))
    for move in (lambda at: (at + 0.5) / 2 - 0.5, lambda at: at * (1, -1) + (0, SHAPE[0] - 1)):
        assert other_frame([FramePair(near, move(scattered()), SHAPE, radius_px=10)])


@given(st.integers(40, 200), st.integers(40, 600), st.integers(0, 999))
def test_crowded_noise_is_in_no_frame(n_truth, n_picks, seed):
    picks = scattered(n_picks, seed)
    assert other_frame([FramePair(picks, scattered(n_truth, seed + 1000), SHAPE, radius_px=25)]) is None


def test_labels_of_binned_images_lie_in_a_corner():
    ones = [scattered(seed=seed) for seed in range(5)]
    assert corner_factor((at, SHAPE) for at in ones) is None
    for factor in (2, 4):
        assert corner_factor(((at + 0.5) / factor - 0.5, SHAPE) for at in ones) == factor
    assert corner_factor([(ones[0] / 2, SHAPE)]) is None  # one may be an accident
