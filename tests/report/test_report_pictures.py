import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cryopick_ray.errors import PicksError
from cryopick_ray.report.figures import nice_ticks, pick_counts, score_histogram, short
from cryopick_ray.report.thumbnails import choose_thumbnails, make_thumbnail


@given(st.lists(st.integers(0, 2000), max_size=300), st.integers(1, 20))
def test_chosen_thumbnails_span_the_counts(counts, n):
    chosen = choose_thumbnails(counts, n)
    assert len(chosen) == len(set(chosen.tolist())) == min(n, len(counts))
    picks = np.array(counts)[chosen] if counts else np.array([])
    assert (np.diff(picks) <= 0).all()
    if counts:
        assert picks[0] == max(counts)
        assert n == 1 or picks[-1] == min(counts)
    assert choose_thumbnails(counts, n).tolist() == chosen.tolist()


def test_chosen_thumbnails_are_evenly_spaced_quantiles():
    counts = np.arange(1000)[::-1] * 3
    assert choose_thumbnails(counts, 4).tolist() == [0, 333, 666, 999]


def grey(thumbnail):
    return np.asarray(Image.open(BytesIO(thumbnail.jpeg)))


def disc(shape, x, y, radius):
    rows, columns = np.indices(shape)
    return np.where(np.hypot(columns - x, rows - y) < radius, -3.0, 0.0)


def dark_centre(thumbnail):
    """Centre of the dark pixels, mapped to source pixels through the thumbnail's view."""
    picture = grey(thumbnail)
    rows, columns = np.nonzero(picture < 100)
    left, top, width, height = thumbnail.view
    x = left + (columns.mean() + 0.5) * width / picture.shape[1]
    y = top + (rows.mean() + 0.5) * height / picture.shape[0]
    return x - 0.5, y - 0.5


def test_a_particle_lies_in_the_picture_where_its_coordinates_say(make_picks):
    image = disc((1000, 1200), 301.0, 703.0, 60)
    thumbnail = make_thumbnail(image, make_picks(shape=(1000, 1200)))
    assert grey(thumbnail).shape == (640, 768)
    assert np.hypot(*np.subtract(dark_centre(thumbnail), (301, 703))) < 1


def test_a_fourier_cropped_image_is_drawn_in_source_coordinates(make_picks):
    # Row 50 of an image of a quarter of the size is row 200 of the source: the first pixel's centre stays.
    image = disc((250, 300), 75.0, 50.0, 25)
    thumbnail = make_thumbnail(image, make_picks(shape=(1000, 1200)))
    assert thumbnail.view == (-1.5, -1.5, 1200, 1000)
    assert np.hypot(*np.subtract(dark_centre(thumbnail), (300, 200))) < 0.5


def test_contrast_is_stretched_between_percentiles_and_keeps_its_sign(make_picks):
    rng = np.random.default_rng(0)
    image = rng.normal(1000, 5, (300, 300))
    image[:100, :100] -= 20
    image[150, 150] = 1e6
    picture = grey(make_thumbnail(image, make_picks(shape=(300, 300)))).astype(float)
    assert picture[:100, :100].mean() < 80 < 140 < picture[200:, 200:].mean()


@pytest.mark.parametrize("value", [0.0, 7.5, np.nan, np.inf])
def test_images_without_contrast_still_make_a_picture(make_picks, value):
    assert grey(make_thumbnail(np.full((64, 48), value), make_picks())).shape == (64, 48)


def test_only_the_best_candidates_are_kept_and_all_are_counted(make_picks):
    picks = make_picks(n=50, picked=30)
    thumbnail = make_thumbnail(np.zeros((64, 64)), picks, max_candidates=20)
    np.testing.assert_array_equal(thumbnail.score, picks.score[:20])
    assert (thumbnail.n_candidates, thumbnail.n_picked) == (50, 30)
    assert thumbnail.picked.all()
    assert thumbnail.diameter_px == 80


def test_a_failed_micrograph_has_no_thumbnail(make_picks):
    with pytest.raises(PicksError, match="`pixel_size_A`"):
        make_thumbnail(np.zeros((64, 64)), make_picks(status="failed"))


def bars(svg, css=r"bar[^\"]*"):
    return re.findall(
        rf'<rect class="({css})" x="([\d.-]+)" y="([\d.-]+)" width="([\d.-]+)" height="([\d.-]+)">'
        r"<title>([^<]*)</title>",
        svg,
    )


def test_the_histogram_counts_every_score_and_parts_them_at_the_threshold():
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.uniform(-5, 0, 3000), rng.uniform(0, 5, 1000)])
    svg = score_histogram(scores, 0.0)
    muted = [int(bar[5].split(": ")[1].split()[0].replace(",", "")) for bar in bars(svg, "bar muted")]
    picked = [int(bar[5].split(": ")[1].split()[0].replace(",", "")) for bar in bars(svg, "bar")]
    # The outermost thousandths may be left out.
    assert 2990 <= sum(muted) <= 3000
    assert 990 <= sum(picked) <= 1000
    mark = float(re.search(r'class="mark" x1="([\d.]+)"', svg)[1])
    assert all(float(bar[1]) + float(bar[3]) <= mark + 0.5 for bar in bars(svg, "bar muted"))
    assert all(float(bar[1]) >= mark - 0.5 for bar in bars(svg, "bar"))


@pytest.mark.parametrize("scores", [[], [np.nan], [1.0], [1.0] * 9, [-1e30, 1e30], [0.0, 1e-30]])
@pytest.mark.parametrize("threshold", [0.5, 1e9, -1e9, np.inf, np.nan])
def test_any_scores_make_a_chart_of_finite_numbers(scores, threshold):
    svg = score_histogram(np.array(scores), threshold)
    assert ("<svg" in svg) == bool(np.isfinite(scores).any())
    assert "nan" not in svg
    assert len(svg) < 100_000


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=400))
def test_every_micrograph_is_in_the_chart_of_counts(counts):
    svg = pick_counts(np.array(counts))
    drawn = bars(svg)
    if len(counts) <= 120:
        assert [int(bar[5].split(": ")[1].split()[0].replace(",", "")) for bar in drawn] == counts
        heights = np.array([float(bar[4]) for bar in drawn])
        expected = 190 * np.array(counts) / max(max(counts), 1)
        np.testing.assert_allclose(heights[expected > 2], expected[expected > 2], atol=0.01)
    else:
        assert len({bar[1] for bar in drawn}) == 120
    for _, x, y, width, height, _ in drawn:
        assert 56 <= float(x) <= float(x) + float(width) <= 628.01
        assert 13.9 <= float(y) <= float(y) + float(height) <= 204.01


def test_no_micrographs_make_no_chart():
    assert pick_counts(np.array([], dtype=int)) == ""


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 8))
def test_ticks_are_few_and_inside(low, span, n):
    ticks = nice_ticks(low, low + span, n)
    assert len(ticks) <= n + 1
    slack = 1e-6 * (abs(low) + span)
    assert all(low - slack <= tick <= low + span + slack for tick in ticks)


def test_counts_are_shortened():
    assert [short(number) for number in (0, 950, 1500, 20e6)] == ["0", "950", "1.5k", "20M"]


def test_segments_are_drawn_as_their_filament(make_picks):
    picks = make_picks("m.mrc", 5)
    more = {
        "filament": np.array([0, 0, -1, 0, 1], np.int32),
        "track_A": np.array([20, 0, np.nan, 10, 0], np.float32),
    }
    drawn = make_thumbnail(disc((1000, 1200), 150, 150, 25), replace(picks, more=more))
    (points, _, segments, _), *others = drawn.filaments
    places = [tuple(map(float, item.split(","))) for item in points.split()]
    expected = [(picks.x_px[i] + 0.5, picks.y_px[i] + 0.5) for i in (1, 3, 0)]
    assert places == [pytest.approx(item, abs=0.06) for item in expected]
    assert segments == 3
    assert len(others) == 1
    assert len(list(drawn.circles)) == 1
