import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter

from cryopick_ray.errors import MicrographError, UsageError
from cryopick_ray.pickers.peaks import find_peaks

SHAPES = st.tuples(st.integers(1, 24), st.integers(1, 24))
RADII = st.floats(0, 9)


@st.composite
def untied_maps(draw):
    shape = draw(SHAPES)
    values = np.random.default_rng(draw(st.integers(0, 2**32))).permutation(shape[0] * shape[1])
    return values.reshape(shape).astype(np.float32)


@st.composite
def tied_maps(draw):
    return draw(arrays(np.float32, SHAPES, elements=st.integers(0, 3).map(float)))


def spikes(shape, *peaks):
    score = np.zeros(shape, np.float32)
    for y, x, value in peaks:
        score[y, x] = value
    return score


def centres(candidates):
    return {(float(y), float(x)) for y, x in zip(candidates.y, candidates.x, strict=True)}


def pixels(candidates, score):
    """Pixels of the peaks of a map without ties: the score names the pixel."""
    where = {float(value): place for place, value in np.ndenumerate(score)}
    return [where[float(value)] for value in candidates.score]


def brute_maxima(score, floor):
    """Regional maxima by flooding from every pixel: the definition, slowly."""
    height, width = score.shape
    firsts, seen = [], set()
    for start in np.ndindex(score.shape):
        if start in seen or not score[start] > floor:
            continue
        flat, edge, is_top = {start}, [start], True
        while edge:
            y, x = edge.pop()
            for near in ((y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)):
                if not (0 <= near[0] < height and 0 <= near[1] < width):
                    continue
                is_top &= bool(score[near] <= score[start])
                if score[near] == score[start] and near not in flat:
                    flat.add(near)
                    edge.append(near)
        seen |= flat
        if is_top:
            firsts.append(min(flat))
    return firsts


@given(untied_maps(), RADII)
def test_no_pair_within_the_radius(score, radius):
    yx = np.array(pixels(find_peaks(score, radius_px=radius, floor=-1), score), float).reshape(-1, 2)
    distance = np.linalg.norm(yx[:, None] - yx[None], axis=2) + np.diag(np.full(len(yx), np.inf))
    assert (distance > radius).all()


@given(untied_maps(), RADII)
def test_every_local_maximum_is_kept_or_near_a_better_kept_one(score, radius):
    kept = pixels(find_peaks(score, radius_px=radius, floor=-1), score)
    for place in brute_maxima(score, -1):
        assert place in kept or any(
            score[better] > score[place] and np.hypot(*np.subtract(better, place)) <= radius
            for better in kept
        )


@settings(max_examples=300)
@given(tied_maps(), st.integers(-1, 2))
def test_ties_and_plateaus_are_those_of_the_definition(score, floor):
    found = find_peaks(score, radius_px=0, floor=floor)
    expected = sorted(brute_maxima(score, floor), key=lambda place: (-score[place], place))
    assert sorted(found.score.tolist(), reverse=True) == [score[place] for place in expected]
    moved = np.column_stack([found.y, found.x])
    for place in expected:
        assert (np.abs(moved - place) <= 0.5).all(axis=1).any()


@given(untied_maps(), RADII, st.sampled_from([0, 1, (0, 1)]))
def test_flipping_the_image_flips_the_picks(score, radius, axis):
    plain = find_peaks(score, radius_px=radius, floor=-1)
    flipped = find_peaks(np.flip(score, axis), radius_px=radius, floor=-1)
    y, x = plain.y, plain.x
    axes = axis if isinstance(axis, tuple) else (axis,)
    y = score.shape[0] - 1 - y if 0 in axes else y
    x = score.shape[1] - 1 - x if 1 in axes else x
    np.testing.assert_allclose(flipped.y, y, atol=1e-4)
    np.testing.assert_allclose(flipped.x, x, atol=1e-4)
    np.testing.assert_array_equal(flipped.score, plain.score)


@given(untied_maps(), RADII, st.integers(0, 5), st.integers(0, 5))
def test_shifting_the_image_shifts_the_picks(score, radius, dy, dx):
    shifted = np.pad(score, ((dy, 3), (dx, 2)), constant_values=-np.inf)
    plain = find_peaks(score, radius_px=radius, floor=-1)
    moved = find_peaks(shifted, radius_px=radius, floor=-1)
    np.testing.assert_allclose(moved.y - dy, plain.y, atol=1e-5)
    np.testing.assert_allclose(moved.x - dx, plain.x, atol=1e-5)


@given(tied_maps(), RADII)
def test_candidates_are_ordered_by_score_then_y_then_x(score, radius):
    found = find_peaks(score, radius_px=radius, floor=0)
    np.testing.assert_array_equal(np.lexsort((found.x, found.y, -found.score)), np.arange(len(found)))


@pytest.mark.parametrize(
    "across", [((5, 0), (5, 39)), ((5, 39), (6, 0)), ((0, 7), (29, 7)), ((0, 0), (29, 39))]
)
def test_a_peak_at_an_edge_leaves_the_opposite_edge_alone(across):
    (y1, x1), (y2, x2) = across
    found = find_peaks(spikes((30, 40), (y1, x1, 2), (y2, x2, 1)), radius_px=6, floor=0.5)
    assert centres(found) == {(y1, x1), (y2, x2)}


@pytest.mark.parametrize(("other", "kept"), [((10, 15), 1), ((13, 14), 1), ((10, 16), 2), ((14, 14), 2)])
def test_the_radius_is_euclidean_and_included(other, kept):
    found = find_peaks(spikes((30, 30), (10, 10, 2), (*other, 1)), radius_px=5, floor=0.5)
    assert len(found) == kept


def test_a_suppressed_peak_suppresses_nothing():
    found = find_peaks(spikes((9, 30), (4, 4, 3), (4, 8, 2), (4, 12, 1)), radius_px=5, floor=0.5)
    assert centres(found) == {(4, 4), (4, 12)}


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (40, 50)])
def test_a_flat_map_has_one_peak_in_its_first_corner(shape):
    assert centres(find_peaks(np.ones(shape, np.float32), radius_px=3, floor=0)) == {(0, 0)}


def test_a_bent_plateau_has_one_peak():
    score = spikes((12, 12), *[(2, x, 5) for x in range(2, 9)], *[(y, 8, 5) for y in range(2, 9)], (8, 2, 5))
    score[8, 2:9] = 5
    assert len(find_peaks(score, radius_px=1, floor=0)) == 1


def test_a_shelf_below_a_summit_is_no_peak():
    score = spikes((9, 15), *[(y, x, 5) for y in range(2, 7) for x in range(2, 12)], (4, 12, 6))
    assert find_peaks(score, radius_px=1, floor=0).score.tolist() == [6]


def test_the_floor_itself_is_not_above_the_floor():
    assert len(find_peaks(spikes((5, 5), (2, 2, 1)), radius_px=1, floor=1)) == 0


def test_minus_infinity_marks_what_cannot_be_a_peak():
    score = np.full((7, 7), -np.inf, np.float32)
    assert len(find_peaks(score, radius_px=1, floor=-np.inf)) == 0
    score[3, 3] = 0
    assert centres(find_peaks(score, radius_px=1, floor=-np.inf)) == {(3, 3)}


def test_an_empty_map_has_no_peaks():
    assert len(find_peaks(np.empty((0, 5), np.float32), radius_px=3, floor=0)) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_unordered_scores_are_refused(bad):
    with pytest.raises(MicrographError, match="1 NaN or infinite of 25"):
        find_peaks(spikes((5, 5), (2, 2, bad)), radius_px=1, floor=0)


@pytest.mark.parametrize("radius", [-1, np.nan, np.inf])
def test_a_radius_that_is_no_length_is_refused(radius):
    with pytest.raises(UsageError, match="suppression radius"):
        find_peaks(spikes((5, 5), (2, 2, 1)), radius_px=radius, floor=0)


def test_a_radius_beyond_the_image_keeps_the_best():
    assert len(find_peaks(spikes((5, 9), (0, 0, 1), (4, 8, 2)), radius_px=1e9, floor=0)) == 1


def test_centres_between_pixels_beat_whole_pixels():
    rng = np.random.default_rng(1)
    truth = np.array([(y, x) for y in range(20, 240, 20) for x in range(20, 240, 20)]) + rng.uniform(
        -0.5, 0.5, (121, 2)
    )
    yy, xx = np.mgrid[:256, :256]
    discs = sum(np.clip(5.5 - np.hypot(yy - y, xx - x), 0, 1) for y, x in truth)
    score = gaussian_filter(discs + rng.normal(0, 0.3, discs.shape), 3).astype(np.float32)
    found = find_peaks(score, radius_px=8, floor=0.2)
    fine = np.column_stack([found.y, found.x])
    nearest = truth[np.argmin(np.linalg.norm(fine[:, None] - truth[None], axis=2), axis=1)]
    assert len(found) == len(truth)
    assert (
        np.linalg.norm(fine - nearest, axis=1).mean()
        < 0.7 * np.linalg.norm(fine.round() - nearest, axis=1).mean()
    )
