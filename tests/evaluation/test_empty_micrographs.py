import numpy as np
import pytest

from cryopick_ray.evaluation.empty import FalsePicks, false_picks
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph


def micrograph(picked, status="complete"):
    about = PickedMicrograph("a.mrc", "set", "a.mrc", (9, 9), 1.0, None, status, "")
    zeros = np.zeros(len(picked), np.float32)
    return MicrographPicks(about, zeros, zeros, zeros, 1 - np.array(picked, np.uint16), 100.0)


@pytest.mark.parametrize(
    ("picked", "mean", "median", "most"),
    [([[1, 1, 0], [0]], 1.0, 1.0, 2), ([[], [0, 0]], 0.0, 0.0, 0), ([[1], [1], [1, 1, 1, 1]], 2.0, 1.0, 4)],
)
def test_picks_count_and_candidates_below_the_threshold_do_not(picked, mean, median, most):
    assert false_picks([micrograph(flags) for flags in picked]) == FalsePicks(mean, median, most)


def test_a_micrograph_that_failed_is_not_one_without_picks():
    assert false_picks([micrograph([1, 1]), micrograph([], "failed")]) == FalsePicks(2.0, 2, 2)
    assert false_picks([micrograph([], "failed")]) == FalsePicks(None, None, None)
