import numpy as np
import pytest

from cryopick_ray.evaluation.curves import curve


def test_of_thresholds_as_good_the_highest_is_the_best():
    # 2 of 2 particles in 4 picks and 1 of 2 in 1: both F1 2/3
    found = curve([4, 3, 2, 1], [True, False, False, True], 2)
    assert found.f1[0] == found.f1[-1] == pytest.approx(2 / 3)
    assert found.best() == (found.f1[0], 4.0)


def test_scores_are_told_apart_by_however_little():
    better = np.nextafter(1.0, 2.0)
    found = curve([1.0, better], [True, False], 1)
    assert found.threshold.tolist() == [better, 1.0]
    assert found.average_precision() == 0.5


def test_picks_of_one_score_stand_or_fall_together_in_any_order():
    for hits in ([True, False, False], [False, True, False], [False, False, True]):
        found = curve([1, 1, 1], hits, 1)
        assert (found.threshold.tolist(), found.n_picks.tolist(), found.n_hits.tolist()) == ([1], [3], [1])
        assert found.average_precision() == pytest.approx(1 / 3)
