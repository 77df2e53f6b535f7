import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from cryopick_ray.evaluation.curves import curve
from cryopick_ray.pickers.picker import Candidates
from cryopick_ray.picks.matching import match
from cryopick_ray.report.figures import Axis, LineChart, fitted_axis, log_ticks
from cryopick_ray.store.manifest import ManifestRow
from cryopick_ray.store.store import MicrographStore, StoredPixels
from cryopick_ray.training.dataset import LabelledRow
from cryopick_ray.training.labelled import nowhere
from cryopick_ray.training.loop import Epoch
from cryopick_ray.training.outcome import Line, score_table
from cryopick_ray.training.report import (
    TrainingReport,
    loss_curves,
    precision_recall,
    render_training_report,
    tried_thumbnail,
    tried_thumbnails,
)
from cryopick_ray.training.trial import Tried, ranking, score

EVIL = "<script>alert(1)</script>\"'&"
SHAPE, STORED = (600, 800), (150, 200)
RADIUS_PX = 20.0


def make_tried(seed, name="a.mrc", *, n_truth=30, n_found=25, n_false=12, url="") -> Tried:
    """Particles on a grid, candidates within 5 px of some of them, and false ones far from all."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.arange(60, 760, 100), np.arange(60, 560, 100)), -1).reshape(-1, 2)
    truth = rng.permutation(grid)[:n_truth].astype(np.float32)
    found = truth[:n_found] + rng.uniform(-5, 5, (n_found, 2))
    false = rng.permutation(grid)[:n_false] + 50.0
    xy = np.concatenate([found, false]).astype(np.float32)
    scores = np.concatenate([rng.normal(1, 1, n_found), rng.normal(-1, 1, n_false)]).astype(np.float32)
    order = np.argsort(-scores, kind="stable")
    x, y, scores = *xy[order].T, scores[order]
    row = ManifestRow(
        micrograph_id=name,
        dataset="10146",
        relion_name=name,
        source=name,
        checksum="crc32c:00000000",
        source_height_px=SHAPE[0],
        source_width_px=SHAPE[1],
        pixel_size_A=1.5,
        height_px=STORED[0],
        width_px=STORED[1],
        shard_bytes=0,
        voltage_kV=None,
        spherical_aberration_mm=None,
        amplitude_contrast=None,
        status="complete",
        reason="",
    )
    source = LabelledRow(url, row, "10146", 60.0, 1.5 * RADIUS_PX, 1, truth, nowhere(), nowhere())
    hits = match(x, y, scores, *truth.T, RADIUS_PX) >= 0
    return Tried(source, Candidates(x, y, scores), hits)


def make_history(n, *, validated=True) -> list[Epoch]:
    return [
        Epoch(e, 2.0 * 0.8**e, 2.5 * 0.82**e if validated else None, 1e-3 / e, 3.0, 400, 2)
        for e in range(1, n + 1)
    ]


@pytest.fixture(scope="module")
def report() -> TrainingReport:
    parts = [("validation", [make_tried(0, f"{EVIL}.mrc")]), ("10146", [make_tried(1), make_tried(2)])]
    image = np.random.default_rng(0).normal(size=STORED)
    return TrainingReport(
        title="heatmap of 10146",
        version="0.2.0",
        generated="1 May 2026, 12:00",
        settings={"network": "heatmap", "data": [{"name": "10146", "test": ("a", "b")}], "folds": None},
        history=make_history(12),
        curves=[(name, ranking(tried)) for name, tried in parts],
        lines=[
            Line("", "10146", 2, score(parts[1][1], 0.25)),
            Line("fold 2", "10017", 1, score(parts[0][1], 0.25), overlap=True),
        ],
        threshold=0.25,
        best_epoch=9,
        thumbnails=[tried_thumbnail(name, one, image, 0.25) for name, tried in parts for one in tried],
        seconds={"train": 60.0, "score": 5.0},
    )


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
        thumbnails=[replace(one, part=EVIL) for one in report.thumbnails],
        seconds={EVIL: 1.0},
    )
    calm, page = Page(render_training_report(report)), Page(render_training_report(hostile))
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    names = [{name for _, attributes in one.tags for name in attributes} for one in (calm, page)]
    assert names[0] == names[1]
    assert page.words.count(EVIL) >= 15


def test_every_pick_and_every_missed_particle_is_drawn_once(report):
    page = Page(render_training_report(report))
    hits = sum(one.n_hits for one in report.thumbnails)
    false = sum(one.n_false for one in report.thumbnails)
    missed = sum(one.n_missed for one in report.thumbnails)
    # The legend has one of each.
    assert page.count("circle", "hit") == hits + 1
    assert page.count("rect", "false") == false + 1
    assert page.count("circle", "missed") == missed + 1
    assert min(hits, false, missed) > 0


@given(st.integers(0, 50), st.integers(0, 36))
def test_true_false_and_missed_add_up_as_in_the_score(seed, last):
    tried = make_tried(seed)
    threshold = float(tried.candidates.score[last])
    one = tried_thumbnail("validation", tried, np.zeros(STORED), threshold)
    expected = score([tried], threshold)
    assert one.n_hits == expected.n_hits == int(one.is_hit.sum())
    assert one.n_hits + one.n_false == expected.n_picks
    assert one.n_hits + one.n_missed == expected.n_truth
    assert not one.is_cut
    far = np.hypot(*(one.missed[:, None] - np.stack([one.picture.x_px, one.picture.y_px], 1)).T)
    assert (far[one.is_hit] > RADIUS_PX).all()


def test_more_than_fits_is_counted_and_said_to_be_cut(report):
    rng = np.random.default_rng(0)
    crowd = rng.uniform(0, 599, (2500, 2)).astype(np.float32)
    tried = make_tried(0, n_found=0, n_false=0)
    tried = replace(tried, source=replace(tried.source, particles=crowd))
    one = tried_thumbnail("validation", tried, np.zeros(STORED), 0.0)
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
    drawn = tried_thumbnails([("validation", some[:1]), ("test", [*some[1:], lost])], -np.inf)
    assert [(one.part, one.picture.micrograph_id) for one in drawn] == [
        ("test", "1.mrc"),
        ("validation", "0.mrc"),
        ("test", "2.mrc"),
    ]
    assert len(tried_thumbnails([("test", some)], -np.inf, 2)) == 2


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


NOTHING = curve([], [], 5)
LACKING = [
    {"history": make_history(1), "best_epoch": 1},
    {"history": make_history(5, validated=False), "best_epoch": 5},
    {"history": [replace(one, train_loss=np.nan, validation_loss=np.nan) for one in make_history(3)]},
    {"history": (), "curves": (), "lines": (), "thumbnails": (), "settings": {}, "seconds": {}},
    {"curves": [("validation", NOTHING), ("no labels", curve([1.0], [False], 0))]},
    {"threshold": float("nan")},
    {"threshold": float("-inf")},
    {
        "thumbnails": [
            tried_thumbnail("v", make_tried(0, n_found=0, n_false=0), np.full(STORED, np.nan), 0.0),
            tried_thumbnail("v", make_tried(0, n_truth=0, n_found=0), np.zeros(STORED), -np.inf),
        ]
    },
    {"lines": [Line("", "empty", 1, score([make_tried(0, n_truth=0, n_found=0, n_false=0)]))]},
]


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


FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("chromium or chromedriver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(driver))
    yield running
    running.quit()


def show(browser, path, report):
    path.write_text(render_training_report(report), encoding="utf-8")
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(path.as_uri())


def requests(browser):
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    sent = [one["params"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    return {one["request"]["url"] for one in sent if one["documentURL"].startswith("file:")}


def boxes(browser, css):
    """Return ``(n, 4)`` left, top, width and height on the screen."""
    return np.array(
        browser.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map((one) => {"
            "const box = one.getBoundingClientRect(); return [box.left, box.top, box.width, box.height]; })",
            css,
        )
    ).reshape(-1, 4)


def strokes(browser, css):
    return browser.execute_script(
        "const look = getComputedStyle(document.querySelector(arguments[0]));"
        "return [look.stroke, look.strokeDasharray, look.fill]",
        css,
    )


def test_the_page_opens_without_errors_dialogs_or_requests(browser, tmp_path, report):
    show(browser, tmp_path / "report.html", report)
    assert browser.get_log("browser") == []
    urls = requests(browser)
    assert (tmp_path / "report.html").as_uri() in urls
    assert sum(url.startswith("file:") for url in urls) == 1
    assert all(url.startswith(("file:", "data:image/jpeg")) for url in urls)


def test_circles_and_squares_sit_on_their_particles(browser, tmp_path, report):
    show(browser, tmp_path / "report.html", report)
    one = report.thumbnails[0]
    picture = boxes(browser, "figure:first-of-type img")[0]
    scale = picture[2] / SHAPE[1]
    left, top, *_ = one.picture.view
    picks = np.stack([one.picture.x_px, one.picture.y_px], 1)
    for css, centres in (
        ("figure:first-of-type .hit", picks[one.is_hit]),
        ("figure:first-of-type .false", picks[~one.is_hit]),
        ("figure:first-of-type .missed", one.missed),
    ):
        drawn = boxes(browser, css)
        expected = picture[:2] + (centres + 0.5 - [left, top]) * scale
        np.testing.assert_allclose(drawn[:, :2] + drawn[:, 2:] / 2, expected, atol=0.5)


def test_true_false_and_missed_differ_by_more_than_colour(browser, tmp_path, report):
    show(browser, tmp_path / "report.html", report)
    looks = {css: strokes(browser, f"figure .{css}") for css in ("hit", "false", "missed")}
    assert len({look[0] for look in looks.values()}) == 3
    assert all(look[2] == "none" for look in looks.values())
    assert looks["hit"][1] == "none" != looks["missed"][1]


def test_curves_are_drawn_inside_their_charts(browser, tmp_path, report):
    show(browser, tmp_path / "report.html", report)
    charts, lines = boxes(browser, ".chart"), boxes(browser, "polyline")
    assert (len(charts), len(lines)) == (2, 4)
    for line, chart in zip(lines, np.repeat(charts, 2, axis=0), strict=True):
        assert (line[2:] > 0.2 * chart[2:]).any()
        assert (line[:2] >= chart[:2]).all()
        assert (line[:2] + line[2:] <= chart[:2] + chart[2:]).all()
    looks = [strokes(browser, f"polyline.c{index}") for index in range(2)]
    assert looks[0][0] != looks[1][0]
    assert looks[0][1] != looks[1][1]
    assert all(stroke != "none" and fill == "none" for stroke, _, fill in looks)


def test_a_click_enlarges_a_picture(browser, tmp_path, report):
    show(browser, tmp_path / "report.html", report)
    before = boxes(browser, "figure:first-of-type img")[0]
    browser.execute_script("document.querySelector('.frame').click()")
    assert boxes(browser, "figure:first-of-type img")[0][2] > 1.5 * before[2]


@pytest.mark.parametrize(("width", "medium"), [(1200, ""), (360, ""), (680, "print")])
def test_nothing_is_wider_than_the_window_or_the_paper(browser, tmp_path, report, width, medium):
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium})
    show(browser, tmp_path / "report.html", report)
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert wide <= width


@pytest.mark.parametrize("change", LACKING)
def test_reports_that_lack_something_open_without_errors(browser, tmp_path, report, change):
    show(browser, tmp_path / "report.html", replace(report, **change))
    assert browser.get_log("browser") == []
    assert browser.title == "heatmap of 10146"
