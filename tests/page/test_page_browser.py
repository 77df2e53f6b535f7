"""The page in a real browser, over a real run: what is seen, listed and counted."""

import json
import time

import numpy as np
import pytest
from browsed import PICTURE, VIEW, picks_of
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from cryopick_ray.picks.reasons import Reason

RADIUS_PX = 150 / 4 / 2
OVERLAY = """
const {main} = await import('./static/ui/stage.js');
return places.map(([x, y]) => [...main.context.getImageData(
  Math.round(x * devicePixelRatio), Math.round(y * devicePixelRatio), 1, 1).data]);
"""
GREY = """
const {main} = await import('./static/ui/stage.js');
const canvas = main.deep.querySelector('canvas');
const ratio = canvas.width / main.host.clientWidth;
return boxes.map((box) => {
  const {data} = canvas.getContext('2d').getImageData(...box.map((edge) => Math.round(edge * ratio)));
  return data.filter((_, k) => k % 4 === 0).reduce((sum, value) => sum + value, 0) / (data.length / 4);
});
"""
SLIDE = """
const slider = document.getElementById('threshold');
slider.value = Math.round(share * slider.max);
slider.dispatchEvent(new Event('input', {bubbles: true}));
for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
"""


def test_it_opens_with_hostile_names_and_asks_nobody_else(look, browser):
    ids = look.page.json("api/micrographs")["columns"]["id"]
    assert any(element.text.startswith("<img") for element in look.all(".thumb .name"))
    for i, name in enumerate(ids):
        look.open(i)
        look.wait(lambda name=name: look.id("name").get_attribute("title") == name)
    assert look.errors() == []
    sent = [json.loads(element["message"])["message"] for element in browser.get_log("performance")]
    urls = {
        element["params"]["request"]["url"]
        for element in sent
        if element["method"] == "Network.requestWillBeSent"
    }
    own = f"http://127.0.0.1:{look.page.port}/{look.page.token}/"
    ours = {url for url in urls if url.startswith(own)}
    assert len(ours) > 20
    assert not any(url.startswith("http") for url in urls - ours if f":{look.page.port}/" in url)


def test_circles_lie_on_the_particles_of_the_picture(look, picked):
    i = look.page.json("api/micrographs")["columns"]["id"].index("square0/00.mrc")
    look.open(i)
    circles_lie_on_particles(look, picked, i)
    look.press("+")
    circles_lie_on_particles(look, picked, i)


def circles_lie_on_particles(look, picked, i):
    time.sleep(0.5)  # zooming is animated
    look.wait(lambda: look.js(PICTURE))
    view, size = look.js(VIEW), look.id("main-pane").size
    radius = RADIUS_PX * view["scale"]

    def seen(x_px, y_px):
        places = (np.column_stack([x_px, y_px]) + 0.5) * view["scale"] + [view["x"], view["y"]]
        room = np.array([size["width"], size["height"]]) - 3 * radius
        return places[((places > 3 * radius) & (places < room)).all(axis=1)]

    truth = np.loadtxt(picked / "truth" / "square0" / "00.csv", delimiter=",", skiprows=1)
    particles = seen(*truth.T)
    beside = particles + np.array([0, 1.6 * radius])
    boxes = [[x - radius / 2, y - radius / 2, radius, radius] for x, y in np.concatenate([particles, beside])]
    inside, outside = np.array_split(look.js(GREY, boxes=boxes), 2)
    assert inside.mean() < outside.mean() - 5
    rims = seen(*picks_of(look.page, i)) + np.array([radius, 0])
    red, green, _, opaque = np.array(look.js(OVERLAY, places=rims.tolist())).T
    assert len(rims) > 5
    assert ((opaque > 60) & (green > red)).mean() > 0.9


def test_the_slider_counts_this_micrograph_and_all_exactly(look):
    look.wait(lambda: look.id("threshold").is_enabled())
    i, n = look.state("current"), len(look.page.json("api/micrographs")["columns"]["id"])
    everything = [look.page.candidates(k) for k in range(n)]
    for share in (0.2, 0.5, 0.9):
        look.js(SLIDE, share=share)
        threshold = np.float32(look.state("cut")["threshold"])
        counts = [
            int(
                (((record["unpicked"] & ~Reason.BELOW_THRESHOLD) == 0) & (record["score"] >= threshold)).sum()
            )
            for record in everything
        ]
        assert look.text("picks-here") == f"{counts[i]:,}"
        assert look.text("picks-all") == f"{sum(counts):,}"
        look.wait(lambda counts=counts: f"{sum(counts):,} pick" in look.text("exact-told"))
        look.wait(lambda counts=counts: look.state("micrographs")["columns"]["picks"] == counts)
    assert look.errors() == []


def test_table_and_filter_list_what_is_asked_for(look, browser):
    columns = look.page.json("api/micrographs")["columns"]
    everything = range(len(columns["id"]))

    def listed():
        rows = look.all(".table-row")
        rows.sort(key=lambda item: int(item.get_attribute("aria-rowindex")))
        return [int(row.get_attribute("data-item")) for row in rows]

    def sort_by_score():
        heads = look.all("[role=columnheader] button")
        next(head for head in heads if head.text.startswith("mean score")).click()

    look.press("t")
    look.wait(lambda: listed() == list(everything))
    sort_by_score()
    look.wait(lambda: listed() == sorted(everything, key=lambda k: columns["mean_score"][k]))
    sort_by_score()
    falling = sorted(everything, key=lambda k: -columns["mean_score"][k])
    look.wait(lambda: listed() == falling)
    look.press("/")
    browser.switch_to.active_element.send_keys("square1", Keys.ENTER)
    wanted = [k for k in falling if columns["id"][k].startswith("square1")]
    look.wait(lambda: listed() == wanted)
    assert look.text("filter-told") == f"{len(wanted)} of {len(everything)}"
    look.wait(lambda: look.state("current") == wanted[0])
    look.press("n")
    look.wait(lambda: look.state("current") == wanted[1])
    look.id("filter").clear()
    look.id("filter").send_keys("picks:lots")
    look.wait(lambda: "expected a number" in look.text("filter-told"))
    assert look.errors() == []


def test_looks_and_tones_change_the_picture_and_not_the_circles(look):
    def filtered():
        return look.js("return document.querySelector('#main-pane .deep').style.filter;")

    i = look.state("current")
    look.press("i", "]")
    assert "invert(1)" in filtered()
    assert "contrast(1.15)" in filtered()
    assert look.js("return getComputedStyle(document.querySelector('#main-pane .over')).filter;") == "none"
    look.press("+")
    time.sleep(0.5)  # zooming is animated
    before = look.js(VIEW)
    asked = "return performance.getEntriesByType('resource').some(({name}) => name.includes(part));"
    assert look.js(asked, part=f"api/tile/plain/{i}/")
    for name in ("band", "denoised"):
        look.press("l")
        look.wait(lambda name=name: look.js(asked, part=f"api/tile/{name}/{i}/"))
        look.wait(lambda: look.js(PICTURE))
    assert look.js(VIEW) == pytest.approx(before)
    drawn = """
    const {main} = await import('./static/ui/stage.js');
    const {data} = main.context.getImageData(0, 0, main.canvas.width, main.canvas.height * 0.9);
    return data.some((value) => value > 0);
    """
    assert look.js(drawn)
    look.press("c")
    look.wait(lambda: not look.js(drawn))
    assert look.errors() == []


def test_brushing_a_plot_filters(look, browser):
    look.press("y")
    over = look.wait(lambda: look.all(".plot .u-over"))[0]
    half = over.size["width"] // 2
    chain = ActionChains(browser, duration=80).move_to_element_with_offset(over, 2 - half, 0)
    chain.click_and_hold().move_by_offset(half, 0).release().perform()
    look.wait(lambda: look.state("order") == [0, 1, 2])
    assert look.id("filter").get_attribute("value").startswith("order:1..3")
    assert look.errors() == []
