"""The page that compares runs, in a real browser."""

import json

import numpy as np
import pytest
from selenium.webdriver.common.by import By

from cryopick_ray.evaluation.alike import common_names, side_by_side
from cryopick_ray.evaluation.compare import beside_of, compare
from cryopick_ray.evaluation.truth import Truth
from cryopick_ray.report.compared_page import picture_of, render_compared

HOSTILE = "<script>alert(1)</script>"
DIAMETER_A, SHAPE = 120.0, (1000, 1200)


def page_of(*runs, truth=None, image=None):
    """Return a comparison as the browser gets it, with pictures of what the first two runs have."""
    names = common_names([[one.micrograph.micrograph_id for one in picks] for picks in runs])
    labels = [HOSTILE, *(f"run {n}" for n in range(1, len(runs)))]
    found = compare(
        side_by_side(runs, names),
        labels,
        diameter_A=DIAMETER_A,
        truth=truth,
        settings={HOSTILE: [HOSTILE, "<b>"][: len(runs)] + ["-"] * (len(runs) - 2)},
    )
    pictures = []
    for name, entries in side_by_side(runs, names):
        if None not in entries[:2] and entries[0].micrograph.status == "complete":
            pictures.append(picture_of(beside_of(name, entries, DIAMETER_A), entries[0], entries[1], image))
    return found, render_compared(found, pictures)


@pytest.fixture
def show(browser, tmp_path):
    def opened(text):
        path = tmp_path / "compare.html"
        path.write_text(text, encoding="utf-8")
        browser.get_log("browser")
        browser.get_log("performance")
        browser.get(path.as_uri())
        assert browser.get_log("browser") == []
        messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
        sent = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
        urls = {one["request"]["url"] for one in sent if one["documentURL"].startswith("file:")}
        assert all(url == browser.current_url or url.startswith("data:image/") for url in urls)
        return browser

    return opened


@pytest.fixture(scope="module")
def two(make_picks):
    name = f"{HOSTILE}.mrc"
    return (
        [make_picks(name, 60, picked=40, shape=SHAPE), make_picks("b.mrc", 30, picked=10, shape=SHAPE)],
        [make_picks(name, 60, picked=20, shape=SHAPE), make_picks("b.mrc", 30, picked=25, shape=SHAPE)],
    )


def marks(page, kind):
    return page.find_elements(By.CSS_SELECTOR, f"figure .mark.{kind}")


def texts(page, css):
    return [" ".join(one.text.split()) for one in page.find_elements(By.CSS_SELECTOR, css)]


def test_hostile_names_stay_words_and_all_picks_are_drawn_once(show, two):
    found, text = page_of(*two, image=np.random.default_rng(0).normal(size=SHAPE))
    page = show(text)
    [pair] = found.pairs
    assert HOSTILE in texts(page, "#runs td.name")
    assert HOSTILE in texts(page, "#settings td")
    assert f"{HOSTILE}.mrc" in texts(page, "#micrographs td.name")
    drawn = [len(marks(page, kind)) for kind in ("shared", "first", "second")]
    assert drawn == [pair.shared, *pair.only]
    assert min(drawn) > 5
    assert texts(page, ".why-table tbody tr:first-child")[0] == f"below threshold {pair.only[0]} 100.0 %"


def test_a_mark_lies_where_the_pick_is(show, two):
    page = show(page_of(*two, image=np.zeros(SHAPE))[1])
    page.set_window_size(1200, 900)
    box, marked = page.execute_script(
        "const b = e => { const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height] };"
        "const f = document.querySelector('.frame');"
        "return [b(f.querySelector('img')), [...f.querySelectorAll('.mark')].map(b)]"
    )
    expected = np.concatenate(
        [np.column_stack([one.x_px[one.picked], one.y_px[one.picked]]) for one in (two[0][0], two[1][0])]
    )
    scale = box[2] / SHAPE[1]
    seen = np.array([((x + w / 2 - box[0]), (y + h / 2 - box[1])) for x, y, w, h in marked]) / scale - 0.5
    for place in seen:
        assert np.abs(expected - place).max(axis=1).min() < 1
    assert {round(w / scale) for _, _, w, _ in marked} == {round(DIAMETER_A / 1.5)}


def test_a_box_that_is_unticked_hides_its_marks(show, two):
    page = show(page_of(*two)[1])
    assert marks(page, "first")[0].is_displayed()
    page.find_element(By.ID, "show-first").click()
    assert not marks(page, "first")[0].is_displayed()
    assert marks(page, "second")[0].is_displayed()


def test_without_a_picture_marks_are_on_a_field_of_the_micrograph_s_shape(show, two):
    page = show(page_of(*two)[1])
    width, height = page.execute_script(
        "const r = document.querySelector('.frame svg').getBoundingClientRect(); return [r.width, r.height]"
    )
    assert width / height == pytest.approx(SHAPE[1] / SHAPE[0], rel=0.01)
    assert "no run kept its picture" in texts(page, "figcaption")[0]
    assert not page.find_elements(By.CSS_SELECTOR, "figure img")
    page.find_element(By.CSS_SELECTOR, ".frame").click()
    large = page.find_element(By.CSS_SELECTOR, ".frame svg").size
    assert large["width"] > width + 20


def test_several_runs_have_a_matrix_of_shares(show, two, make_picks):
    third = [make_picks("b.mrc", 30, picked=30, shape=SHAPE)]
    found, text = page_of(*two, third)
    page = show(text)
    rows = texts(page, "#shares tbody tr")
    assert rows[2].endswith(f"{100 * found.pairs[1].share[1]:.1f} % {100 * found.pairs[2].share[1]:.1f} %")
    assert len(texts(page, ".why-table")) == 6


def test_with_truth_the_page_says_what_is_true(show, two):
    one = two[0][1]
    truth = Truth("truth", {"b": np.column_stack([one.x_px[:15], one.y_px[:15]]).astype(float)}, ())
    page = show(page_of(*two, truth=truth)[1])
    assert texts(page, "#runs thead th")[-3:] == ["precision", "recall", "F1"]
    assert texts(page, "#runs tbody tr:first-child td")[-3:] == ["1.000", "0.667", "0.800"]
    row = texts(page, "#truth tbody td")
    assert row[1:4] == ["10 of 10 (100.0 %)", "0 of 0", "5 of 15 (33.3 %)"]
    assert row[4:] == ["10", "0", "5", "0"]


@pytest.mark.parametrize("width", [1200, 360])
def test_nothing_is_wider_than_the_window(show, two, width):
    text = page_of(*two)[1]
    page = show(text)
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False},
    )
    wide = page.execute_script("return document.documentElement.scrollWidth")
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert wide <= width


def test_runs_without_any_picks_open_without_errors(show, make_picks):
    empty = [make_picks("a.mrc", 0), make_picks("f.mrc", status="failed")]
    page = show(page_of(empty, empty)[1])
    assert texts(page, ".card .value")[0] == "0"
