import json
from dataclasses import replace

import numpy as np
import pytest
from training_reports import LACKING, SHAPE, made_report

from cryopick_ray.training.training_report import (
    TrainingReport,
    render_training_report,
)


@pytest.fixture(scope="module")
def report() -> TrainingReport:
    return made_report()


def show(browser, path, report):
    path.write_text(render_training_report(report), encoding="utf-8")
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(path.as_uri())


def requests(browser):
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    sent = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
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
