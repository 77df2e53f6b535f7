import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By

from cryopick_ray.micrographs.junk import Junk, JunkMask
from cryopick_ray.micrographs.mask_file import OutsideMask
from cryopick_ray.picks.reasons import Why
from cryopick_ray.report.report import Report, render_report
from cryopick_ray.report.thumbnails import make_thumbnail
from cryopick_ray.report.tints import tint_of

DRAWN = "document.querySelectorAll('circle:not(.off)').length"
SHAPE = (1000, 1200)


@pytest.fixture(scope="module")
def report(make_picks) -> Report:
    rows, columns = np.indices(SHAPE)
    pictures, picks = [], []
    for number, name in enumerate(("<script>alert(1)</script>.mrc", "b.mrc", "none.mrc")):
        one = make_picks(name, 60, picked=(30, 12, 0)[number], shape=SHAPE)
        one.x_px[0], one.y_px[0] = 300, 700
        image = np.where(np.hypot(columns - 300, rows - 700) < 40, -3.0, 0.0)
        picks.append(one)
        pictures.append(make_thumbnail(image, one))
    return Report(
        title="Picks",
        version="0.1.0",
        generated="1 May 2026, 12:00",
        counts=np.array([one.picked.sum() for one in picks]),
        scores=np.concatenate([one.score for one in picks]),
        threshold=0.25,
        threshold_reason="auto",
        settings={"model": "log"},
        timings={"pick": 1.0},
        failures=[("<img src=x onerror=alert(1)>", "<script>alert(2)</script>")],
        thumbnails=pictures,
    )


def show(browser, path: Path, report: Report):
    path.write_text(render_report(report), encoding="utf-8")
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(path.as_uri())


def move(browser, threshold):
    browser.execute_script(
        "const s = document.getElementById('threshold'); s.value = arguments[0];"
        "s.dispatchEvent(new Event('input'))",
        threshold,
    )


def drawn(browser):
    return browser.execute_script(f"return {DRAWN}")


def requests(browser):
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    sent = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
    return {one["request"]["url"] for one in sent if one["documentURL"].startswith("file:")}


def test_opens_without_errors_dialogs_or_requests(browser, tmp_path, report):
    show(browser, tmp_path / "report.html", report)
    assert browser.get_log("browser") == []
    urls = requests(browser)
    assert (tmp_path / "report.html").as_uri() in urls
    assert all(url.startswith(("file:", "data:image/jpeg")) for url in urls)
    assert sum(url.startswith("file:") for url in urls) == 1
    names = [one.text for one in browser.find_elements(By.CSS_SELECTOR, "figcaption .name")]
    assert names[0] == "<script>alert(1)</script>.mrc"


def test_the_slider_draws_what_is_above_it_and_reset_returns(browser, tmp_path, report):
    show(browser, tmp_path / "report.html", report)
    scores = np.concatenate([thumbnail.score for thumbnail in report.thumbnails])
    assert drawn(browser) == report.n_picked == 42
    for threshold in (-0.5, 0.6):
        move(browser, threshold)
        above = int((scores >= threshold).sum())
        assert drawn(browser) == above
        assert browser.find_element(By.ID, "shown-count").text.startswith(f"{above} picks")
        counts = browser.find_elements(By.CSS_SELECTOR, "figcaption .count")
        assert [int(count.text) for count in counts] == [
            int((thumbnail.score >= threshold).sum()) for thumbnail in report.thumbnails
        ]
    browser.find_element(By.ID, "reset").click()
    assert drawn(browser) == 42
    browser.find_element(By.ID, "circles").click()
    visibility = browser.execute_script(
        "return getComputedStyle(document.querySelector('.picks')).visibility"
    )
    assert visibility == "hidden"
    assert browser.get_log("browser") == []


def test_verdicts_can_be_shown_alone(browser, tmp_path, report, make_picks):
    names = [thumbnail.micrograph_id for thumbnail in report.thumbnails]
    micrographs = [
        replace(make_picks(name).micrograph, verdict=verdict, picks=1, reasons="<b>why</b>")
        for name, verdict in zip(names, ("not a micrograph", "bad", "good"), strict=True)
    ]
    show(browser, tmp_path / "report.html", replace(report, judged=micrographs))

    def seen(selector):
        return [one.text for one in browser.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed()]

    assert seen("#verdicts td.name") == seen("figcaption .name") == names
    assert seen("figcaption .badge") == ["not a micrograph", "bad", "good"]
    assert "<b>why</b>" in seen("figcaption .why")
    browser.find_element(By.CSS_SELECTOR, ".kind[data-kind=bad]").click()
    assert seen("#verdicts td.name") == seen("figcaption .name") == names[1:2]
    browser.find_element(By.CSS_SELECTOR, ".kind[data-kind='']").click()
    assert seen("#verdicts td.name") == seen("figcaption .name") == names
    assert browser.get_log("browser") == []


BOXES = """
const picture = document.querySelector('img').getBoundingClientRect();
const circle = document.querySelector('circle').getBoundingClientRect();
return [picture, circle].map((box) => [box.left, box.top, box.width, box.height]);
"""


@pytest.mark.parametrize("width", [1200, 420])
@pytest.mark.parametrize("large", [False, True])
def test_circles_sit_on_their_particles(browser, tmp_path, report, width, large):
    browser.set_window_size(width, 900)
    show(browser, tmp_path / "report.html", report)
    if large:
        browser.find_element(By.CSS_SELECTOR, ".frame").click()
    picture, circle = browser.execute_script(BOXES)
    scale = picture[2] / SHAPE[1]
    assert abs(picture[3] / SHAPE[0] - scale) < 0.01 * scale
    centre = circle[0] + circle[2] / 2 - picture[0], circle[1] + circle[3] / 2 - picture[1]
    assert abs(centre[0] - 300.5 * scale) < 1
    assert abs(centre[1] - 700.5 * scale) < 1
    assert abs(circle[2] - 80 * scale) < 2


def test_a_click_enlarges_and_escape_returns(browser, tmp_path, report):
    browser.set_window_size(1200, 900)
    show(browser, tmp_path / "report.html", report)
    before = browser.execute_script(BOXES)[0]
    browser.find_element(By.CSS_SELECTOR, ".frame").click()
    assert browser.execute_script(BOXES)[0][2] > 1.5 * before[2]
    browser.switch_to.active_element.send_keys("\ue00c")
    assert browser.execute_script(BOXES)[0] == before


@pytest.mark.parametrize("width", [1200, 360])
def test_nothing_is_wider_than_the_window(browser, tmp_path, report, width):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False},
    )
    show(browser, tmp_path / "report.html", report)
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert wide <= width


@pytest.mark.parametrize(
    "change",
    [
        {"thumbnails": (), "counts": np.array([], int), "scores": np.array([], np.float32)},
        {"failures": (), "counts": np.array([7])},
        {"scores": np.array([], np.float32)},
        {"threshold": float("inf")},
    ],
)
def test_reports_that_lack_something_open_without_errors(browser, tmp_path, report, change):
    show(browser, tmp_path / "report.html", replace(report, **change))
    assert browser.get_log("browser") == []
    assert browser.title == "Picks"


@pytest.fixture(scope="module")
def masked(make_picks) -> Report:
    """A report of one micrograph whose left half is carbon, a square of it masked by the user, too."""
    one = make_picks("a.mrc", 200, picked=0, shape=SHAPE)
    junk = np.where(one.x_px < 599.5, Junk.CARBON, Junk.NONE).astype(np.uint8)
    reasons = np.where(one.score < 0, Why.BELOW_THRESHOLD, 0) | np.where(junk > 0, Why.ON_JUNK, 0)
    one = replace(one, junk=junk, unpicked=reasons.astype(np.uint16))
    codes = np.zeros((10, 12), np.uint8)
    codes[:, :6] = Junk.CARBON
    square = np.zeros((100, 120), bool)
    square[10:30, 80:100] = True
    tints = [tint_of(JunkMask(codes, SHAPE), SHAPE), tint_of(OutsideMask(square, SHAPE), SHAPE)]
    image = np.random.default_rng(0).normal(size=SHAPE)
    return Report(
        title="Picks",
        version="0.1.0",
        generated="1 May 2026, 12:00",
        counts=np.array([one.picked.sum()]),
        scores=one.score[~one.is_kept_out],
        threshold=0.0,
        threshold_reason="auto",
        settings={},
        timings={},
        failures=[],
        thumbnails=[make_thumbnail(image, one, tints=tints)],
        junk="7 candidates above the threshold are not picked: 7 on carbon or gold",
    )


def test_junk_is_tinted_and_what_lies_on_it_crossed_out_from_the_threshold_up(browser, tmp_path, masked):
    show(browser, tmp_path / "report.html", masked)
    assert browser.get_log("browser") == []
    assert all(url.startswith(("file:", "data:image/")) for url in requests(browser))
    [one] = masked.thumbnails
    crosses = "document.querySelectorAll('figure .cross:not(.off)').length"
    for threshold in (0.0, -0.5, 0.7):
        move(browser, threshold)
        enough = one.score >= threshold
        assert browser.execute_script(f"return {crosses}") == (enough & one.is_kept_out).sum() > 5
        assert drawn(browser) == (enough & ~one.is_kept_out).sum() > 5
    words = [item.text for item in browser.find_elements(By.CSS_SELECTOR, ".legend li")]
    assert words == ["carbon or gold", "masks given", "on junk, not picked"]
    assert browser.find_element(By.ID, "junk").text == masked.junk


def test_a_tint_lies_over_its_part_of_the_picture(browser, tmp_path, masked):
    browser.set_window_size(1200, 900)
    show(browser, tmp_path / "report.html", masked)
    browser.execute_script(
        "for (const one of document.querySelectorAll('circle, .cross')) one.style.display = 'none'"
    )
    with Image.open(BytesIO(browser.find_element(By.CSS_SELECTOR, ".frame").screenshot_as_png)) as picture:
        seen = np.asarray(picture.convert("RGB")).astype(int)
    height, width = seen.shape[:2]
    colour = seen.max(axis=2) - seen.min(axis=2)  # grey where there is no tint
    across, down = (np.arange(side) / side for side in (width, height))
    expected = np.zeros((height, width), bool)
    expected[:, across < 0.5] = True
    expected |= ((down >= 0.1) & (down < 0.3))[:, None] & ((across >= 80 / 120) & (across < 100 / 120))
    edge = np.zeros_like(expected)
    edge[1:] |= expected[1:] != expected[:-1]
    edge[:, 1:] |= expected[:, 1:] != expected[:, :-1]
    near = edge | np.roll(edge, -1, 0) | np.roll(edge, -1, 1)
    inner = np.s_[8:-8, 8:-8]  # its corners are round
    wrong = ((colour > 25) != expected) & ~near
    assert wrong[inner].mean() < 0.005
