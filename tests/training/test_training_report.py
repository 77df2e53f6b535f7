import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_reports import EVIL, LACKING, RADIUS_PX, STORED, made_report, make_history, make_tried

from cryopick_ray.evaluation.curves import curve
from cryopick_ray.report.figures import Axis, LineChart, fitted_axis, log_ticks
from cryopick_ray.store.store import MicrographStore, StoredPixels
from cryopick_ray.training.results import score_table
from cryopick_ray.training.scored import score
from cryopick_ray.training.training_report import (
    TrainingReport,
    loss_curves,
    precision_recall,
    render_training_report,
    scored_thumbnail,
    scored_thumbnails,
)


@pytest.fixture(scope="module")
def report() -> TrainingReport:
    return made_report()


class Page(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.text.append(" " if tag in ("td", "th", "p", "li", "svg") else "")

    def handle_data(self, data):
        self.text.append(data)

    @property
    def words(self):
        return re.sub(r"\s+", " ", "".join(self.text))

    def count(self, tag, css):
        return sum(name == tag and attrs.get("class") == css for name, attrs in self.tags)


def test_the_page_says_what_the_report_says(report):
    words = Page(render_training_report(report)).words
    for text in (
        "heatmap of 10146",
        "Best epoch 9 of 12; validation loss 0.419",
        "Threshold 0.25",
        "fold 2 10017 seen in training 1 30",
        "some seen in training",
        "epoch 3: training 1.024, validation 1.378; learning rate 0.000333; 3.00 s",
        f"validation AUPRC {report.curves[0][1].average_precision():.3f}",
        "data.1.name 10146",
        "data.1.test a, b",
        "folds none",
        "train 1 min 00 s",
        "together 1 min 05 s",
    ):
        assert text in words


def test_the_table_has_the_numbers_of_the_terminal(report):
    words = Page(render_training_report(report)).words
    _, first, second, spread = score_table(report.lines)
    for row, name in ((first, "10146 2 "), (second, "10017 seen in training 1 ")):
        numbers = re.findall(r"\d+\.\d{3}", row)
        assert len(numbers) == 5
        assert f"{name}{report.lines[0].score.n_truth if row is first else 30} {' '.join(numbers)}" in words
    assert f"deviation {spread.split('s.d.')[1].strip().replace('+-', ' ± ')}" in words


def test_a_page_refers_to_nothing_outside_itself(report):
    html = render_training_report(report)
    for tag, attributes in Page(html).tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "action", "srcset", "data"):
            assert re.match(r"data:image/jpeg|#|$", attributes.get(name) or "")
    for outside in ("url(", "@import", "http:", "https:"):
        assert outside not in html


def test_hostile_text_stays_text(report):
    hostile = replace(
        report,
        title=EVIL,
        version=EVIL,
        generated=EVIL,
        settings={EVIL: {EVIL: EVIL}},
        curves=[(EVIL, one) for _, one in report.curves],
        lines=[replace(line, part=EVIL, dataset=EVIL) for line in report.lines],
        thumbnails=[replace(thumbnail, part=EVIL) for thumbnail in report.thumbnails],
        seconds={EVIL: 1.0},
    )
    calm, page = Page(render_training_report(report)), Page(render_training_report(hostile))
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    names = [{name for _, attributes in one.tags for name in attributes} for one in (calm, page)]
    assert names[0] == names[1]
    assert page.words.count(EVIL) >= 15


def test_every_pick_and_every_missed_particle_is_drawn_once(report):
    page = Page(render_training_report(report))
    hits = sum(thumbnail.n_hits for thumbnail in report.thumbnails)
    false = sum(thumbnail.n_false for thumbnail in report.thumbnails)
    missed = sum(thumbnail.n_missed for thumbnail in report.thumbnails)
    # The legend has one of each.
    assert page.count("circle", "hit") == hits + 1
    assert page.count("rect", "false") == false + 1
    assert page.count("circle", "missed") == missed + 1
    assert min(hits, false, missed) > 0


@given(st.integers(0, 50), st.integers(0, 36))
def test_true_false_and_missed_add_up_as_in_the_score(seed, last):
    scored = make_tried(seed)
    threshold = float(scored.candidates.score[last])
    one = scored_thumbnail("validation", scored, np.zeros(STORED), threshold)
    expected = score([scored], threshold)
    assert one.n_hits == expected.n_hits == int(one.is_hit.sum())
    assert one.n_hits + one.n_false == expected.n_picks
    assert one.n_hits + one.n_missed == expected.n_truth
    assert not one.is_cut
    far = np.hypot(*(one.missed[:, None] - np.stack([one.picture.x_px, one.picture.y_px], 1)).T)
    assert (far[one.is_hit] > RADIUS_PX).all()


def test_more_than_fits_is_counted_and_said_to_be_cut(report):
    rng = np.random.default_rng(0)
    crowd = rng.uniform(0, 599, (2500, 2)).astype(np.float32)
    scored = make_tried(0, n_found=0, n_false=0)
    scored = replace(scored, source=replace(scored.source, particles=crowd))
    one = scored_thumbnail("validation", scored, np.zeros(STORED), 0.0)
    assert (len(one.missed), one.n_missed, one.is_cut) == (2000, 2500, True)
    assert (
        "2,500 missed; not all are drawn"
        in Page(render_training_report(replace(report, thumbnails=[one]))).words
    )


def test_pictures_are_read_from_the_store_and_a_lost_one_is_left_out(tmp_path):
    url = str(tmp_path / "store")
    store = MicrographStore(url, create=True)
    some = []
    # 14, 28 and 11 mistakes
    for number, (n_found, n_false) in enumerate([(25, 9), (5, 3), (25, 6)]):
        one = make_tried(number, f"{number}.mrc", n_found=n_found, n_false=n_false, url=url)
        pixels = np.random.default_rng(number).normal(size=STORED).astype(np.float32)
        size = store.write(f"{number}.mrc", StoredPixels(pixels, 0.0, 1.0))
        some.append(replace(one, source=replace(one.source, row=replace(one.source.row, shard_bytes=size))))
    lost = make_tried(3, "lost.mrc", n_false=12, url=url)
    drawn = scored_thumbnails([("validation", some[:1]), ("test", [*some[1:], lost])], -np.inf)
    assert [(one.part, one.picture.micrograph_id) for one in drawn] == [
        ("test", "1.mrc"),
        ("validation", "0.mrc"),
        ("test", "2.mrc"),
    ]
    assert len(scored_thumbnails([("test", some)], -np.inf, 2)) == 2


def place(svg, css):
    """Centres of the dots of a class."""
    pattern = rf'<circle class="dot {css}" cx="([\d.-]+)" cy="([\d.-]+)"'
    return [(float(x), float(y)) for x, y in re.findall(pattern, svg)]


def test_the_dot_on_a_curve_is_where_the_threshold_cuts():
    # Three picks at or above 0.5, two of them true, of four particles.
    one = curve([0.9, 0.7, 0.5, 0.3, 0.1], [True, False, True, True, False], 4)
    ((x, y),) = place(precision_recall([("validation", one)], 0.5), "c0 d0")
    assert x == pytest.approx(56 + 572 * 0.5, abs=0.06)
    assert y == pytest.approx(324 - 310 * (2 / 3) / 1.02, abs=0.06)
    for threshold in (0.95, np.nan, np.inf):
        assert place(precision_recall([("validation", one)], threshold), "c0 d0") == []


def test_the_best_epoch_is_marked_on_both_losses():
    svg = loss_curves(make_history(12), 9)
    ((train, _),), ((validation, _),) = place(svg, "c0 d0"), place(svg, "c1 d1")
    mark = float(re.search(r'<line class="best" x1="([\d.]+)"', svg)[1])
    assert train == validation == mark == pytest.approx(56 + 572 * 8.5 / 12, abs=0.06)
    assert 'class="best"' not in loss_curves(make_history(12), 40)


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=40))
def test_fitted_axes_hold_their_values_in_order_and_turn_logarithmic(values):
    array = np.array(values)
    axis = fitted_axis("loss", np.append(array, [np.nan, np.inf]))
    assert axis.is_log == (max(values) > 10 * min(values))
    part = axis.part(array)
    assert ((part >= 0) & (part <= 1)).all()
    assert (np.diff(axis.part(np.sort(array))) >= 0).all()
    assert 1 <= len(axis.ticks) <= 14
    assert (np.abs(axis.part(axis.ticks) - 0.5) <= 0.5 + 1e-6).all()


def test_log_ticks_are_powers_of_ten_and_few_steps_between():
    assert log_ticks(0.03, 0.6) == pytest.approx([0.05, 0.1, 0.2, 0.5])
    assert log_ticks(0.5, 2e5) == pytest.approx([1, 10, 100, 1e3, 1e4, 1e5])


def test_a_curve_of_a_million_points_is_drawn_with_what_can_be_seen():
    chart = LineChart("Line", Axis("x", 0, 1, [0, 1]), Axis("y", 0, 1, [0, 1]))
    x = np.linspace(0, 1, 1_000_000)
    points = re.search(r'points="([^"]*)"', chart.line("c0", x, x**2))[1].split()
    drawn = np.array([point.split(",") for point in points], float)
    assert 1000 < len(drawn) < 1200
    expected = 324 - 310 * ((drawn[:, 0] - 56) / 572) ** 2
    np.testing.assert_allclose(drawn[:, 1], expected, atol=0.2)
    assert drawn[-1].tolist() == [628, 14]


@pytest.mark.parametrize("change", LACKING)
def test_a_report_that_lacks_something_still_renders(report, change):
    page = Page(render_training_report(replace(report, **change)))
    assert "heatmap of 10146" in page.words
    for tag, attributes in page.tags:
        if tag in ("line", "circle", "rect", "polyline", "text"):
            assert not any("nan" in (value or "") or "inf" in (value or "") for value in attributes.values())


def test_a_single_epoch_is_a_dot_of_each_loss():
    svg = loss_curves(make_history(1), 1)
    assert "polyline" not in svg
    assert place(svg, "c0 d0")
    assert place(svg, "c1 d1")
    assert not place(loss_curves(make_history(1, validated=False), 1), "c1 d1")
