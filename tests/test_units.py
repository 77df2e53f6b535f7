import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.resample import fourier_resize
from cryopick_ray.units import (
    Optics,
    binned_to_source,
    diameter_px,
    resampled_shape,
    resampled_to_source,
    working_pixel_size_A,
)

sizes = st.floats(0.1, 100)


@given(sizes, st.floats(20, 3000))
def test_angstroms_and_pixels_undo_each_other(pixel_size_A, diameter_A):
    px = diameter_px(diameter_A, pixel_size_A)
    assert working_pixel_size_A(diameter_A, px) == pytest.approx(pixel_size_A)


@given(st.integers(64, 6000), st.integers(64, 6000), sizes, sizes)
def test_resampling_keeps_the_field_of_view_to_a_pixel(height, width, source_A, target_A):
    shape = resampled_shape((height, width), source_A, target_A)
    for side, new in zip((height, width), shape, strict=True):
        assert new >= 2
        assert new % 2 == 0
        assert new == 2 or abs(new * target_A - side * source_A) <= target_A * 1.0001


def test_a_blob_found_after_a_fourier_crop_maps_back_to_where_it_is():
    y, x = np.mgrid[:300, :400]
    for x_px, y_px in ((101.3, 57.8), (222.0, 190.5)):
        image = np.exp(-((x - x_px) ** 2 + (y - y_px) ** 2) / (2 * 12.0**2))
        small = fourier_resize(image, (100, 100))
        weight = np.clip(small, 1e-3, None) - 1e-3
        rows, columns = np.mgrid[:100, :100]
        found = [np.array([(weight * axis).sum() / weight.sum()], np.float32) for axis in (columns, rows)]
        back_x, back_y = resampled_to_source(*found, (100, 100), (300, 400))
        assert back_x[0] == pytest.approx(x_px, abs=0.1)
        assert back_y[0] == pytest.approx(y_px, abs=0.1)


def test_a_binned_pixel_covers_its_source_pixels_evenly():
    assert binned_to_source(0.0, 1) == 0.0
    assert binned_to_source(0.0, 3) == 1.0
    assert binned_to_source(10.0, 2) == np.mean([20, 21])


@pytest.mark.parametrize(
    "wrong", [{"voltage_kV": 0}, {"spherical_aberration_mm": -1}, {"amplitude_contrast": 1.1}]
)
def test_optics_that_no_microscope_has_are_refused(wrong):
    with pytest.raises(UsageError, match=r"`optics.voltage_kV`"):
        Optics(**wrong)
