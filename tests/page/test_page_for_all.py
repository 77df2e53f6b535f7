"""The page for all: long lists, narrow windows, dark rooms, keyboards and screen readers."""

import json
import time

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

N = 10_000
PAIRS = [
    ("ink", "paper"),
    ("ink", "card"),
    ("ink", "soft"),
    ("quiet", "card"),
    ("quiet", "paper"),
    ("accent", "card"),
    ("bad", "card"),
    ("mark", "card"),
    ("on-accent", "accent"),
]
COLOURS = """
const probe = document.createElement('canvas').getContext('2d');
return names.map((name) => {
  probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  probe.fillRect(0, 0, 1, 1);
  return [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3);
});
"""
REFRESH = "const data = await import('./static/ui/data.js'); await data.refreshMicrographs(true);"
PAPER = "return getComputedStyle(document.body).backgroundColor"


def luminance(colour):
    """Return the relative luminance of WCAG 2."""
    parts = [value / 255 for value in colour]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_ten_thousand_micrographs_make_few_elements(look, browser, monkeypatch):
    columns = {
        "id": [f"grid/{i:05d}.mrc" for i in range(N)],
        "status": ["complete"] * N,
        "picks": list(range(N)),
        "excluded": [False] * N,
        "decisions": [0] * N,
    }
    listing = json.dumps({"generation": 10**6, "n": N, "columns": columns, "outliers": {}}).encode()
    monkeypatch.setattr(look.page.session, "listing", lambda: listing)
    look.js(REFRESH)
    look.wait(lambda: len(look.state("order")) == N)
    for key, wanted in ((Keys.END, "09999.mrc"), (Keys.HOME, "00000.mrc")):
        look.id("strip-list").send_keys(key)
        look.wait(
            lambda wanted=wanted: (
                [wanted] == [element.text for element in look.all("[aria-selected=true] .name")]
            )
        )
        assert len(browser.find_elements(By.CLASS_NAME, "thumb")) < 60
    look.press("t")
    look.wait(lambda: len(look.all(".table-row")) > 10)
    assert len(browser.find_elements(By.CLASS_NAME, "table-row")) < 80
    look.press("/")
    browser.switch_to.active_element.send_keys("picks:9990..")
    look.wait(lambda: look.state("order") == list(range(9990, N)))


def test_a_live_list_grows_without_losing_the_place(look, monkeypatch):
    before = look.page.json("api/micrographs")
    look.open(4)
    look.press("1", "j")
    place = look.state("cursor")
    columns = {name: [*values, values[0]] for name, values in before["columns"].items()}
    columns["id"][-1] = "new.mrc"
    grown = {**before, "generation": 10**6, "n": before["n"] + 1, "columns": columns}
    monkeypatch.setattr(look.page.session, "listing", lambda: json.dumps(grown).encode())
    look.js(REFRESH)
    look.wait(lambda: look.state("order") == list(range(before["n"] + 1)))
    assert look.id("name").get_attribute("title") == columns["id"][4]
    assert look.state("cursor") == place
    assert look.text("filter-told") == f"all {before['n'] + 1}"
    assert look.errors() == []


def test_text_stands_out(look, browser):
    names = sorted({name for pair in PAIRS for name in pair})
    try:
        for scheme in ("light", "dark"):
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            light = dict(zip(names, map(luminance, look.js(COLOURS, names=names)), strict=True))
            assert (light["paper"] < light["ink"]) == (scheme == "dark")
            for pair in PAIRS:
                low, high = sorted(light[name] for name in pair)
                assert (high + 0.05) / (low + 0.05) >= 4.5, (scheme, pair)
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_controls_have_names(look):
    for tab in ("tab-cut", "tab-show", "tab-teach", "tab-run"):
        look.id(tab).click()
        controls = look.all("button, input, select, [tabindex='0']")
        assert len(controls) > 20
        assert [
            control.get_attribute("outerHTML") for control in controls if not control.accessible_name
        ] == []


def test_the_theme_can_be_chosen_and_is_kept(look, browser):
    before = browser.execute_script(PAPER)
    look.id("theme").click()
    chosen = browser.execute_script(PAPER)
    assert chosen != before
    browser.refresh()
    look.wait(lambda: browser.execute_script(PAPER) == chosen)
    browser.execute_script("localStorage.clear()")


def test_thumbnails_stay_however_high_the_window_is(look, browser):
    """A scroll bar that came would make them smaller, and then not be needed any more."""
    for height in range(560, 760, 20):
        size = {"width": 1300, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        time.sleep(0.1)
        assert [len(look.all(".thumb")) > 1 for _ in range(4)] == [True] * 4, height


def test_nothing_is_wider_than_the_window(look, browser):
    for width in (360, 700, 1000, 1920):
        size = {"width": width, "height": 760, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for part in ("browse", "micrograph", "controls"):
            if width < 820:
                browser.find_element(By.CSS_SELECTOR, f"[data-part={part}]").click()
            look.wait(look.id(part).is_displayed)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
            if part == "browse":
                look.wait(lambda: len(look.all(".thumb")) > 2)
    assert look.errors() == []
