"""Laws of kinks: a line is cut where it turns more than it does elsewhere, and sooner beside another one."""

import numpy as np
import pytest
from drawn import WIDTH, arc

from cryopick_ray.filaments.cutting import runs
from cryopick_ray.filaments.kinks import not_kinked, turns_deg

CORNER = (100.0, 100.0)


def bent(turn_deg, arm_px=80):
    """Return a line, a pixel apart, that turns once by an angle."""
    turn = np.deg2rad(turn_deg)
    out = np.arange(arm_px + 1)[:, None]
    before = np.array(CORNER) - out[:0:-1] * (1, 0)
    return np.concatenate([before, np.array(CORNER) + out * (np.cos(turn), np.sin(turn))])


def passing(angle_deg=-60):
    """Return a line of another direction through the corner."""
    way = np.array([np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))])
    return np.array(CORNER) + np.arange(-60, 61)[:, None] * way


def cuts(lines):
    return [np.flatnonzero(~keep).tolist() for keep in not_kinked(lines, WIDTH)]


@pytest.mark.parametrize("turn_deg", [-40, 5, 25])
def test_a_corner_turns_by_its_angle_and_straight_parts_do_not(turn_deg):
    turns = turns_deg(bent(turn_deg), 20, 10)
    assert turns.argmax() == 80
    assert turns[80] == pytest.approx(abs(turn_deg))
    assert np.allclose(turns[[15, 40, 120, 150]], 0)


def test_a_circle_turns_alike_everywhere_and_nothing_is_known_of_its_ends():
    circle = np.array([100 * np.array([np.cos(t), np.sin(t)]) for t in np.arange(0, 2, 0.01)])
    turns = turns_deg(circle, 20, 10)
    assert turns[20:-20] == pytest.approx(np.rad2deg(0.2))
    assert not turns[:10].any()
    assert not turns[-10:].any()


@pytest.mark.parametrize(
    ("turn_deg", "alone", "beside"), [(6, False, False), (11, False, True), (20, True, True)]
)
def test_a_sharp_kink_is_cut_and_half_of_it_beside_another_line(turn_deg, alone, beside):
    (cut,) = cuts([bent(turn_deg)])
    assert cut == [80] * alone
    cut, other = cuts([bent(turn_deg), passing()])
    assert cut == [80] * beside
    assert other == []


def test_a_line_that_is_curved_all_along_is_whole():
    curved = arc((120, 100), 3 * WIDTH, 0, 170)
    curved = curved[:: max(round(1 / np.hypot(*(curved[1] - curved[0]))), 1)]
    assert max(turns_deg(curved, 2 * WIDTH, 1.4 * WIDTH)) > 20
    assert cuts([curved, passing()]) == [[], []]


def test_each_kink_is_one_cut():
    zigzag = np.concatenate([bent(25), bent(25)[-1] + bent(0)[1:] - bent(0)[0]])
    (keep,) = not_kinked([zigzag], WIDTH)
    assert len(runs(keep)) == 3


def test_no_lines_and_short_ones_are_taken():
    assert not_kinked([], WIDTH) == []
    assert cuts([bent(30, arm_px=3)]) == [[]]
