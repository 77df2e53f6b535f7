import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopick_ray.errors import PixelSizeError
from cryopick_ray.micrographs.pixel_size import StatedPixelSizes, decide_pixel_size

FRAME = (4092, 5760)
usual_A = st.floats(0.3, 4.8)
sizes_A = st.floats(0.13, 9.8)
"""What a frame of a particle of 100 A may have, doubted or not."""


def decided(header_A, given_A=None, listed_A=None, original_A=None, shape=FRAME, diameter_A=100):
    return decide_pixel_size(StatedPixelSizes(header_A, given_A, listed_A, original_A), shape, diameter_A)


@given(header_A=st.none() | st.floats(), given_A=sizes_A, listed_A=st.none() | st.floats())
def test_the_given_pixel_size_wins_over_list_and_header(header_A, given_A, listed_A):
    assert decided(header_A, given_A, listed_A)[0] == given_A


@given(header_A=st.none() | st.floats(), listed_A=sizes_A, original_A=st.none() | sizes_A)
def test_the_listed_pixel_size_wins_over_header_and_movie(header_A, listed_A, original_A):
    assert decided(header_A, None, listed_A, original_A)[0] == listed_A


@given(header_A=usual_A.filter(lambda size_A: size_A != 1), original_A=sizes_A)
def test_the_header_wins_over_the_movie(header_A, original_A):
    assert decided(header_A, original_A=original_A)[0] == header_A


@pytest.mark.parametrize("header_A", [None, 0.0, 1.0])
def test_the_movie_s_pixel_size_serves_where_nothing_else_does(header_A):
    found, (doubt,) = decided(header_A, original_A=0.53, diameter_A=None)
    assert found == 0.53
    assert "may be binned" in doubt


@given(header_A=usual_A.filter(lambda size_A: size_A != 1))
def test_a_credible_header_is_believed(header_A):
    assert decided(header_A) == (header_A, ())


@pytest.mark.parametrize("header_A", [None, 0.0])
def test_no_pixel_size_asks_for_one(header_A):
    with pytest.raises(PixelSizeError, match="`pixel_size_A`"):
        decided(header_A)


@pytest.mark.parametrize("size_A", [-1.0, 0.09, 101.0, math.nan, math.inf])
@pytest.mark.parametrize("by", ["header_A", "given_A", "listed_A"])
def test_no_microscope_has_such_pixels(size_A, by):
    with pytest.raises(PixelSizeError, match=r"expected 0\.1 to 100 A.*`pixel_size_A`"):
        decided(**{"header_A": None, "diameter_A": 1, by: size_A})


def test_zero_given_by_hand_is_refused_as_a_value():
    with pytest.raises(PixelSizeError, match="given: a pixel size of 0 A"):
        decided(1.5, 0.0)


@pytest.mark.parametrize("shape", [(1199, 5000), (5000, 1199)])
def test_exactly_one_is_doubted_below_twelve_diameters_on_the_short_side(shape):
    with pytest.raises(PixelSizeError, match=r"exactly 1 A.*1199 A.*100 A.*`pixel_size_A`"):
        decided(1.0, shape=shape)


def test_exactly_one_is_asked_about_where_no_diameter_speaks_for_it():
    with pytest.raises(PixelSizeError, match=r"exactly 1 A.*do not know.*`pixel_size_A` 1 if it is 1"):
        decided(1.0, diameter_A=None)


@pytest.mark.parametrize(
    ("header_A", "given_A", "shape"),
    [(1.0, 1.0, (1199, 1199)), (1.001, None, (1199, 1199))],
)
def test_one_is_believed_when_a_person_says_so_or_it_is_not_exact(header_A, given_A, shape):
    assert decided(header_A, given_A, shape=shape) == (given_A or header_A, ())


def test_exactly_one_is_taken_and_told_where_the_view_is_wide():
    found, (doubt,) = decided(1.0, shape=(1200, 1200))
    assert found == 1
    assert "exactly 1 A" in doubt
    assert "`pixel_size_A`" in doubt


@pytest.mark.parametrize(("header_A", "given_A"), [(1.5, None), (None, 1.5)])
def test_a_particle_fits_twice_into_the_short_side(header_A, given_A):
    assert decided(header_A, given_A, shape=(1000, 3000), diameter_A=750)[0] == 1.5
    with pytest.raises(PixelSizeError, match=r"751 A.*1500 A.*`diameter_A`.*`pixel_size_A`"):
        decided(header_A, given_A, shape=(1000, 3000), diameter_A=751)


@pytest.mark.parametrize(
    ("size_A", "shape", "diameter_A"),
    [
        (1.5, (1240, 1200), 120),
        (3.54, (2048, 2048), 190),
        (3.0, (682, 960), 120),
        (7.84, (512, 512), 150),
        (13.0, (512, 512), 140),
        (12.0, (348, 386), None),
        (8.0, (500, 500), 150),
        (0.4, (4096, 4096), 100),
        (0.33, (8184, 11520), 100),
        (2.1, (4092, 5760), 1000),
    ],
)
@pytest.mark.parametrize("by", ["header_A", "given_A"])
def test_sizes_of_real_micrographs_are_not_doubted(size_A, shape, diameter_A, by):
    said = {"header_A": None, "shape": shape, "diameter_A": diameter_A} | {by: size_A}
    assert decided(**said) == (size_A, ())


@pytest.mark.parametrize(
    ("size_A", "shape", "diameter_A", "reason"),
    [
        (0.15, (4096, 4096), 100, "nanometres"),
        (15.0, (1536, 2048), None, "above 14 A"),
        (5.0, (4096, 4096), None, "2 um, as of an overview"),
        (0.5, (500, 500), None, "only 250 A"),
        (13.0, (1000, 1000), 125, r"9\.6 pixels across"),
        (0.354, (2048, 2048), 190, r"only 3\.8 particles"),
    ],
)
@pytest.mark.parametrize("by", ["header_A", "given_A", "listed_A"])
def test_a_size_that_is_hardly_possible_is_doubted_in_one_line(size_A, shape, diameter_A, reason, by):
    found, doubts = decided(**{"header_A": None, "shape": shape, "diameter_A": diameter_A, by: size_A})
    assert found == size_A
    assert any(reason.replace("\\", "") in doubt for doubt in doubts)
    assert all("`pixel_size_A`" in doubt and "\n" not in doubt for doubt in doubts)


@pytest.mark.parametrize(
    ("size_A", "diameter_A", "reason"), [(15.0, None, "overview"), (9.9, 30, "pixels across")]
)
def test_a_header_that_is_impossible_is_refused_and_a_person_warned(size_A, diameter_A, reason):
    with pytest.raises(PixelSizeError, match=f"{reason}.*`pixel_size_A`"):
        decided(size_A, diameter_A=diameter_A)
    found, doubts = decided(None, size_A, diameter_A=diameter_A)
    assert found == size_A
    assert reason in " ".join(doubts)


class TestContradictions:
    def test_a_list_of_another_size_than_the_file_s_is_told(self):
        found, (doubt,) = decided(1.5, listed_A=1.54)
        assert found == 1.54
        assert "1.54 A" in doubt
        assert "1.5 A" in doubt
        assert decided(1.5, listed_A=1.51)[1] == ()

    def test_a_file_s_one_contradicts_nobody(self):
        assert decided(1.0, listed_A=1.54) == (1.54, ())
        assert (
            decided(1.0, 15.0, shape=(500, 500), diameter_A=None)[1]
            == decided(None, 15.0, shape=(500, 500), diameter_A=None)[1]
        )

    def test_a_person_may_know_better_but_not_by_ten(self):
        assert decided(1.5, 1.6) == (1.6, ())
        _, (doubt,) = decided(1.1, 11.0, shape=(1000, 1000), diameter_A=200)
        assert "`pixel_size_A` is 11 A, but the file says 1.1 A" in doubt

    def test_binning_is_no_contradiction(self):
        assert decided(1.06, original_A=0.53) == (1.06, ())
        found, (doubt,) = decided(0.9, original_A=0.53)
        assert found == 0.9
        assert "0.53 A of the movie" in doubt
