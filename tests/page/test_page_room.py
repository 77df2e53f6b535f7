"""Windows and panels change; the micrograph stays whole, and words stay within their panel."""

from browsed import VIEW

from cryopick_ray.page.background_jobs import shown_command

WHOLE = """
const {main} = await import('./static/ui/stage.js');
const {x, y, scale} = main.view();
const {width_px, height_px} = main.pyramid;
const {clientWidth, clientHeight} = main.host;
return [x, y, clientWidth - x - width_px * scale, clientHeight - y - height_px * scale];
"""
INSIDE = """
const panel = document.getElementById('run');
const words = [...panel.querySelectorAll('.command code span')];
return [panel.scrollWidth - panel.clientWidth, ...words.map((word) => word.getClientRects().length)];
"""


def resized(browser, width, height):
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def is_whole(look):
    edges = look.js(WHOLE)
    return (
        min(edges) > -1.5
        and min(edges) < 1.5
        and abs(edges[0] - edges[2]) < 3
        and abs(edges[1] - edges[3]) < 3
    )


def test_what_is_whole_stays_whole_and_what_is_enlarged_stays_enlarged(look, browser):
    look.wait(lambda: is_whole(look))
    look.press("t")
    look.wait(lambda: is_whole(look))
    for width, height in ((1440, 900), (900, 700), (390, 800), (1300, 600)):
        resized(browser, width, height)
        look.wait(lambda: is_whole(look))
    resized(browser, 900, 700)
    look.wait(lambda: look.id("main-pane").size["width"] > 260)
    look.press("+", "+")
    look.wait(lambda: look.js(VIEW)["scale"] > 0 and not is_whole(look))
    resized(browser, 1440, 900)
    look.wait(lambda: look.id("main-pane").size["width"] > 500)
    assert not is_whole(look)


def test_long_lines_of_jobs_and_commands_stay_within_the_panel(look, browser, monkeypatch):
    command = shown_command(["run", "--out=/data/" + "long-name/" * 12, "--resume", "--curation=/data/x"])
    job = {
        "job": "1",
        "what": "apply",
        "state": "running",
        "lines": ["warning " * 40 + "x" * 300],
        "command": command,
    }
    monkeypatch.setattr(look.page.actions.jobs, "listed", lambda: [job])
    look.id("tab-run").click()
    look.js("const work = await import('./static/ui/work.js'); await work.watch();")
    look.wait(lambda: look.all(".jobs summary"))
    look.all(".jobs summary")[0].click()
    for width in (1440, 1000):
        resized(browser, width, 900)
        beyond, *boxes = look.js(INSIDE)
        assert beyond <= 0, width
        assert boxes
        assert set(boxes) == {1}, width  # no word is broken at its hyphens
