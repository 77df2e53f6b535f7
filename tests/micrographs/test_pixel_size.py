import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import PixelSizeError
from cryopick_ray.micrographs.pixel_size import decide_pixel_size

FRAME = (4092, 5760)
sizes_A = st.floats(0.1, 100)


@given(header_A=st.none() | st.floats(), given_A=sizes_A)
def test_the_given_pixel_size_wins_over_any_header(header_A, given_A):
    assert decide_pixel_size(header_A, given_A, FRAME, diameter_A=100) == given_A


@given(header_A=sizes_A.filter(lambda size_A: size_A != 1))
def test_a_credible_header_is_believed(header_A):
    assert decide_pixel_size(header_A, None, FRAME, diameter_A=100) == header_A


@pytest.mark.parametrize("header_A", [None, 0.0])
def test_no_pixel_size_asks_for_one(header_A):
    with pytest.raises(PixelSizeError, match="`pixel_size_A`"):
        decide_pixel_size(header_A, None, FRAME, diameter_A=100)


@pytest.mark.parametrize("size_A", [-1.0, 0.09, 101.0, math.nan, math.inf])
@pytest.mark.parametrize("given_by_hand", [True, False])
def test_no_microscope_has_such_pixels(size_A, given_by_hand):
    with pytest.raises(PixelSizeError, match=r"expected 0\.1 to 100 A.*`pixel_size_A`"):
        decide_pixel_size(*((None, size_A) if given_by_hand else (size_A, None)), FRAME, diameter_A=1)


def test_zero_given_by_hand_is_refused_as_a_value():
    with pytest.raises(PixelSizeError, match="given: a pixel size of 0 A"):
        decide_pixel_size(1.5, 0.0, FRAME, diameter_A=100)


@pytest.mark.parametrize("shape", [(1199, 5000), (5000, 1199)])
def test_exactly_one_is_doubted_below_twelve_diameters_on_the_short_side(shape):
    with pytest.raises(PixelSizeError, match=r"exactly 1 A.*1199 A.*100 A.*`pixel_size_A`"):
        decide_pixel_size(1.0, None, shape, diameter_A=100)


@pytest.mark.parametrize(
    ("header_A", "given_A", "shape"),
    [(1.0, None, (1200, 1200)), (1.0, 1.0, (1199, 1199)), (1.001, None, (1199, 1199))],
)
def test_one_is_believed_when_the_view_is_wide_or_a_person_says_so(header_A, given_A, shape):
    assert decide_pixel_size(header_A, given_A, shape, diameter_A=100) == (given_A or header_A)


@pytest.mark.parametrize(("header_A", "given_A"), [(1.5, None), (None, 1.5)])
def test_a_particle_fits_twice_into_the_short_side(header_A, given_A):
    assert decide_pixel_size(header_A, given_A, (1000, 3000), diameter_A=750) == 1.5
    with pytest.raises(PixelSizeError, match=r"751 A.*1500 A.*`diameter_A`.*`pixel_size_A`"):
        decide_pixel_size(header_A, given_A, (1000, 3000), diameter_A=751)
