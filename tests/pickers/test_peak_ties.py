"""Peaks of equal height: which of them is kept, by y, then x."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cryopick_ray.pickers import peaks
from cryopick_ray.pickers.peaks import find_peaks

MAPS = arrays(
    np.float32, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.integers(0, 2).map(float)
)


def kept(score, radius_px):
    """Peaks without neighbours of their height, best first and of equals by y, then x: the rule, slowly."""
    high = np.pad(score, 1, constant_values=-1)
    around = np.stack([np.roll(high, step, (0, 1))[1:-1, 1:-1] for step in peaks.NEIGHBOURS])
    places = [tuple(place) for place in np.argwhere((score > around.max(0)) & (score > 0)).tolist()]
    found = []
    for place in sorted(places, key=lambda place: (-score[place], place)):
        if all(np.hypot(*np.subtract(place, other)) > radius_px for other in found):
            found.append(place)
    return found


def spread(score):
    """Return a map with zeros between its pixels, so that none joins another of its height."""
    wide = np.zeros((2 * score.shape[0], 2 * score.shape[1]), np.float32)
    wide[::2, ::2] = score
    return wide


@given(MAPS.map(spread), st.floats(0, 9))
def test_of_peaks_as_high_the_first_by_y_then_x_blanks_the_others(score, radius_px):
    found = find_peaks(score, radius_px=radius_px, floor=0)
    places = zip(found.y.round().astype(int).tolist(), found.x.round().astype(int).tolist(), strict=True)
    assert sorted(places) == sorted(kept(score, radius_px))


@pytest.mark.parametrize(("first", "second"), [((2, 7), (3, 4)), ((4, 2), (4, 5)), ((2, 2), (5, 2))])
def test_y_comes_before_x(first, second):
    score = np.zeros((9, 9), np.float32)
    score[first] = score[second] = 1
    found = find_peaks(score, radius_px=4, floor=0)
    assert (found.y.tolist(), found.x.tolist()) == ([first[0]], [first[1]])


@pytest.mark.parametrize("rows", [1, 2, 5])
@given(score=MAPS)
def test_rows_that_are_compared_apart_give_the_same_peaks(rows, score):
    whole = find_peaks(score, radius_px=2, floor=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peaks, "BLOCK_ROWS", rows)
        apart = find_peaks(score, radius_px=2, floor=0)
    for one, other in ((whole.y, apart.y), (whole.x, apart.x), (whole.score, apart.score)):
        np.testing.assert_array_equal(one, other)
