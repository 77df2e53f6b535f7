import numpy as np
import pytest

from cryopick_ray.suite.calibration import calibration_error


def test_scores_that_are_chances_have_no_error_and_boasts_their_excess():
    rng = np.random.default_rng(0)
    score = rng.random(200_000)
    assert calibration_error(score, rng.random(len(score)) < score) == pytest.approx(0, abs=0.01)
    assert calibration_error(score, rng.random(len(score)) < score / 2) == pytest.approx(0.25, abs=0.01)


def test_bins_count_by_their_candidates():
    score = np.array([0.95] * 3 + [0.25])
    hit = np.array([True, True, True, True])
    assert calibration_error(score, hit) == pytest.approx((3 * 0.05 + 0.75) / 4)
    assert calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0


@pytest.mark.parametrize("score", [[], [0.5, 1.2], [-0.1], [np.nan]])
def test_what_is_no_chance_has_no_error(score):
    assert calibration_error(np.array(score), np.zeros(len(score), bool)) is None
