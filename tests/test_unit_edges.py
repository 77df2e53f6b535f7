"""What is just allowed, just not, and which axis is which."""

import math

import numpy as np
import pytest

from cryopick_ray.errors import UsageError
from cryopick_ray.units import Optics, is_positive, resampled_shape, resampled_to_source, rows_up


def test_the_last_row_of_a_tiff_is_row_0_and_columns_stay():
    page = np.arange(6).reshape(2, 3)
    assert rows_up(page).tolist() == [[3, 4, 5], [0, 1, 2]]
    assert np.shares_memory(rows_up(page), page)


def test_a_size_is_finite_and_above_zero():
    assert is_positive(5e-324)
    assert not any(map(is_positive, (0.0, -0.0, -1.0, math.inf, -math.inf, math.nan)))


@pytest.mark.parametrize("name", ["voltage_kV", "spherical_aberration_mm", "amplitude_contrast"])
def test_an_aberration_of_zero_and_a_contrast_of_all_are_allowed_and_what_lies_beyond_is_not(name):
    allowed = {
        "voltage_kV": (1e-9, 1e9),
        "spherical_aberration_mm": (0.0, 1e9),
        "amplitude_contrast": (0.0, 1.0),
    }
    for value in allowed[name]:
        assert getattr(Optics(**{name: value}), name) == value
    beyond = (-1e-9, math.nan, math.inf, *([0.0] if name == "voltage_kV" else []))
    for value in (*beyond, *([1 + 1e-9] if name == "amplitude_contrast" else [])):
        with pytest.raises(UsageError):
            Optics(**{name: value})


def test_each_axis_has_a_scale_of_its_own_and_the_first_pixel_stays():
    x = y = np.array([0, 10], np.float32)
    back_x, back_y = resampled_to_source(x, y, (50, 100), (100, 300))
    assert (back_x.tolist(), back_y.tolist()) == ([0, 30], [0, 20])
    assert back_x.dtype == back_y.dtype == np.float32


def test_the_nearest_even_side_is_taken():
    assert resampled_shape((99, 101), 1.0, 1.0) == (
        100,
        100,
    )  # 99 and 101 lie between two: halves round to even
    assert resampled_shape((199, 3), 1.0, 2.0) == (100, 2)
    assert resampled_shape((1, 1), 1.0, 9.0) == (2, 2)
