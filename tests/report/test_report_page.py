import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from cryopick_ray.report.report import Report, duration, flatten, render_report
from cryopick_ray.report.thumbnails import make_thumbnail

EVIL = "<script>alert(1)</script>\"'&.mrc"


@pytest.fixture
def report(make_picks) -> Report:
    picks = [make_picks(f"{number}.mrc", 40, picked=number + 5) for number in range(3)]
    image = np.random.default_rng(0).normal(size=(124, 120))
    return Report(
        title="Picks of EMPIAR-10146",
        version="0.1.0",
        generated="1 May 2026, 12:00",
        counts=np.array([micrograph_picks.picked.sum() for micrograph_picks in picks]),
        scores=np.concatenate([micrograph_picks.score for micrograph_picks in picks]),
        threshold=0.25,
        threshold_reason="auto: the valley of the histogram",
        settings={"model": {"name": "topaz", "particle_px": 27}, "inputs": ["a", "b"], "limit": None},
        timings={"ingest": 1.0, "pick": 254.0},
        failures=[("bad.mrc", "all values are NaN")],
        thumbnails=[make_thumbnail(image, micrograph_picks) for micrograph_picks in picks],
    )


class Page(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.text.append(" " if tag in ("td", "p") else "")

    def handle_data(self, data):
        self.text.append(data)

    @property
    def words(self):
        return re.sub(r"\s+", " ", "".join(self.text))


def test_segments_are_told_with_their_filaments(report):
    assert "Particles picked 18 of 120" in Page(render_report(report)).words
    words = Page(render_report(replace(report, filaments=1200))).words
    assert "Segments picked 18 of 120 candidates in 1,200 filaments" in words


def test_the_page_says_what_the_report_says(report):
    words = Page(render_report(report)).words
    for text in (
        "Picks of EMPIAR-10146",
        "18 of 120 candidates",
        "6 median; from 5 to 7",
        "3 of 4 complete; 1 failed",
        "0.25 auto: the valley of the histogram",
        "bad.mrc all values are NaN",
        "pick 4 min 14 s",
        "together 4 min 15 s",
        "model.particle_px 27",
        "inputs a, b",
    ):
        assert text in words


def test_a_page_refers_to_nothing_outside_itself(report):
    html = render_report(report)
    for tag, attributes in Page(html).tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "action", "srcset", "data"):
            assert re.match(r"data:image/jpeg|#|$", attributes.get(name) or "")
    assert "url(" not in html
    assert "@import" not in html
    assert "http:" not in html
    assert "https:" not in html


def test_every_candidate_is_a_circle_and_the_picked_ones_are_drawn(report):
    circles = [attributes for tag, attributes in Page(render_report(report)).tags if tag == "circle"]
    assert len(circles) == 120
    assert sum(attributes.get("class") != "off" for attributes in circles) == 18
    drawn = [[float(attributes[name]) for name in ("cx", "cy", "data-s")] for attributes in circles]
    for number, thumbnail in enumerate(report.thumbnails):
        # SVG counts from the edge of the first pixel, half a pixel before its centre.
        expected = np.column_stack([thumbnail.x_px + 0.5, thumbnail.y_px + 0.5, thumbnail.score])
        np.testing.assert_allclose(drawn[40 * number : 40 * (number + 1)], expected, atol=0.051)


def test_hostile_text_stays_text(report, make_picks):
    thumbnail = replace(report.thumbnails[0], micrograph_id=EVIL)
    hostile = replace(
        report,
        title=EVIL,
        version=EVIL,
        generated=EVIL,
        threshold_reason=EVIL,
        settings={EVIL: {EVIL: EVIL}},
        timings={EVIL: 1.0},
        failures=[(EVIL, EVIL)],
        thumbnails=[thumbnail],
    )
    calm = Page(render_report(replace(report, thumbnails=[report.thumbnails[0]])))
    page = Page(render_report(hostile))
    assert sum(tag == "script" for tag, _ in page.tags) == sum(tag == "script" for tag, _ in calm.tags) == 1
    assert {name for _, attributes in page.tags for name in attributes} == {
        name for _, attributes in calm.tags for name in attributes
    }
    assert page.words.count(EVIL) >= 9


@pytest.mark.parametrize(
    "change",
    [
        {"thumbnails": ()},
        {"counts": np.array([], int), "scores": np.array([], np.float32), "thumbnails": ()},
        {"scores": np.array([], np.float32), "counts": np.zeros(3, int)},
        {"failures": ()},
        {"settings": {}, "timings": {}},
        {"threshold": float("inf")},
        {"threshold": float("nan")},
    ],
)
def test_a_report_that_lacks_something_still_renders(report, change):
    html = render_report(replace(report, **change))
    assert "Picks of EMPIAR-10146" in html
    assert ("data:image" in html) == ("thumbnails" not in change)


def test_thousands_of_failures_are_cut_and_counted(report):
    failures = [(f"{number}.mrc", "empty file") for number in range(3000)]
    page = Page(render_report(replace(report, failures=failures)))
    assert "3,000 failed" in page.words
    assert "and 2,500 more" in page.words


def test_a_dozen_full_thumbnails_stay_below_8_MB(report, make_picks):
    noise = np.random.default_rng(0).normal(size=(1024, 1024))
    full = make_thumbnail(noise, make_picks(n=2500, shape=(1024, 1024)))
    assert len(render_report(replace(report, thumbnails=[full] * 12))) < 8e6


def test_nested_settings_become_dotted_rows():
    rows = flatten({"a": {"b": {"c": 1}, "d": (1, 2)}, "e": None})
    assert rows == [("a.b.c", "1"), ("a.d", "1, 2"), ("e", "none")]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.42 s"), (12.34, "12.3 s"), (245, "4 min 05 s"), (7380, "2 h 03 min"), (59.96, "1 min 00 s")],
)
def test_durations_read_as_people_say_them(seconds, text):
    assert duration(seconds) == text


def test_sizes_of_picks_are_drawn_with_the_diameter(report):
    sizes_A = np.random.default_rng(0).normal(110, 12, 3000).clip(80, 140)
    report = replace(report, sizes_A=np.append(sizes_A, np.nan), diameter_A=120.0)
    html = render_report(report)
    assert "size (A)" in html
    bars = [tuple(map(int, found)) for found in re.findall(r"(\d+) to \d+ A: (\d+) picks", html)]
    assert sum(count for _, count in bars) == 3000
    assert abs(max(bars, key=lambda bar: bar[1])[0] - 110) < 12
    chart = re.search(r'aria-label="Picks by size".*?</svg>', html)[0]
    (mark,) = re.findall(r'class="mark" x1="([\d.]+)"', chart)
    left = [float(x) for x in re.findall(r'<rect class="bar" x="([\d.]+)"', chart)]
    assert left[0] < float(mark) < left[-1]
    assert bars[np.searchsorted(left, float(mark)) - 1][0] == pytest.approx(120, abs=2)
    assert 'id="sizes"' not in render_report(replace(report, sizes_A=np.full(3, np.nan)))


def test_the_page_says_why_candidates_are_not_picked(report):
    assert 'id="unpicked"' not in render_report(report)
    words = Page(render_report(replace(report, unpicked={"near edge": 1234, "wrong size": 7}))).words
    assert "near edge 1,234 wrong size 7" in words
