"""Filaments on the page: seen as lines, removed and drawn in a real browser, applied, exported."""

import csv
import json
import shutil
from itertools import pairwise
from math import atan2, degrees, dist

import numpy as np
import pandas as pd
import pytest
import starfile
from browsed import STATE, View
from made_filaments import LINES, SPACING_PX, filament_run
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from served import PIXEL_SIZE_A, served

from cryopick_ray.picks.reasons import Reason

DRAWN = [(60, 250), (250, 210), (420, 250)]
CORNERS = "const {gesture} = await import('./static/ui/gesture.js'); return gesture.value?.path?.length ?? 0;"
PIXEL = """
const {main} = await import('./static/ui/stage.js');
const [left, top] = [x, y].map((edge) => Math.round(edge * devicePixelRatio));
return [...main.context.getImageData(left, top, 1, 1).data];
"""


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    return filament_run(tmp_path_factory.mktemp("filaments"))


@pytest.fixture
def page(traced, tmp_path):
    shutil.copytree(traced, tmp_path / "run", symlinks=True)
    with served(tmp_path / "run", by="ana") as page:
        page.folder = tmp_path / "run" / "curation"
        yield page


@pytest.fixture
def look(browser, page):
    look = View(browser, page)
    look.open(0)
    return look


def picked(candidates):
    """Return how many segments of each filament are picked."""
    numbers, counts = np.unique(candidates["filament"][candidates["unpicked"] == 0], return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


def walked(corners, spacing_px):
    """Return places so far apart along corners, as many as fit, in their middle; and directions there."""
    legs = list(pairwise(corners))
    length = sum(dist(a, b) for a, b in legs)
    count = int(length / spacing_px) + 1
    found = []
    for number in range(count):
        left = (length - (count - 1) * spacing_px) / 2 + number * spacing_px
        for (ax, ay), (bx, by) in legs:
            part = left / dist((ax, ay), (bx, by))
            if part <= 1:
                found.append(
                    (ax + part * (bx - ax), ay + part * (by - ay), -degrees(atan2(by - ay, bx - ax)))
                )
                break
            left -= dist((ax, ay), (bx, by))
    return np.array(found)


def tubes(path):
    """Return the tubes of a STAR: rows of x, y and psi along each."""
    frame = starfile.read(path)
    frame = frame["particles"] if isinstance(frame, dict) else frame
    frame = frame.sort_values("rlnHelicalTrackLengthAngst", kind="stable")
    names = ["rlnCoordinateX", "rlnCoordinateY", "rlnAnglePsiPrior"]
    return [own[names].to_numpy(float) for _, own in frame.groupby("rlnHelicalTubeID")]


def colour(look, x_px, y_px):
    """Return what is drawn above the picture at a place."""
    pane = look.id("main-pane").size
    x, y = look.at(x_px, y_px)
    return look.js(PIXEL, x=x + pane["width"] / 2, y=y + pane["height"] / 2)


@pytest.mark.usefixtures("at_once")
def test_a_removed_and_a_drawn_filament_are_applied_exported_and_replayed_alike(look):
    page, before = look.page, look.page.candidates(0)
    assert (look.text("picks-here"), look.text("filaments-here")) == (str(sum(picked(before).values())), "2")
    look.click(250, 381)  # on the second filament, between its corners
    assert look.actions() == {"remove": picked(before)[1]}
    look.press("9")
    for corner in DRAWN:
        look.click(*corner)
    look.wait(lambda: look.js(CORNERS) == 3)
    look.wait(lambda: colour(look, 155, 230)[3] > 60)  # seen while it is drawn
    look.press("l")
    assert look.js(CORNERS) == 3
    look.press(Keys.ENTER)
    assert look.actions() == {"remove": picked(before)[1], "trace": 3}
    with (page.folder / "ana.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["action"] == "trace"]
    corners = [(float(row["x_px"]), float(row["y_px"])) for row in rows]
    assert len({row["at"] for row in rows}) == 1
    assert np.abs(np.subtract(corners, DRAWN)).max() < 2
    wanted = walked(corners, SPACING_PX)
    look.wait(lambda: look.text("filaments-here") == "2")
    look.wait(lambda: look.text("picks-here") == str(picked(before)[0] + len(wanted)))
    assert look.errors() == []
    shown = page.candidates(0)
    assert picked(shown) == {0: picked(before)[0], 3: len(wanted)}
    job = page.start(what="export", format="star")
    assert job["state"] == "done", job
    [own, drawn] = tubes(f"{job['lines'][-1].rpartition(' in ')[2]}/particles.star")
    job = page.start(what="apply")
    assert job["state"] == "done", job
    run = page.folder.parent
    frame = pd.read_parquet(run / "table").query("picked and filament == 3").sort_values("track_A")
    applied = tubes(run / "coordinates" / "star" / "a.mrc.star")
    for found in (drawn, applied[1], frame[["x_px", "y_px", "angle_deg"]].to_numpy(float)):
        assert np.abs(found[:, :2] - wanted[:, :2]).max() <= 0.02
        assert np.abs(found[[0, -1], 2] - wanted[[0, -1], 2]).max() < 0.2
    assert set(frame.source) == {"hand"}
    assert frame.track_A.to_numpy() == pytest.approx(np.arange(len(wanted)) * SPACING_PX * PIXEL_SIZE_A)
    assert np.array_equal(own, applied[0])
    assert np.abs(own[:, :2] - walked(LINES[0][0], SPACING_PX)[:, :2]).max() <= 0.02
    assert picked(page.candidates(0)) == picked(shown)


def test_what_is_drawn_can_be_removed_restored_and_undone(look):
    before = picked(look.page.candidates(0))
    look.press("9")
    for corner in DRAWN[:2]:
        look.click(*corner)
    ActionChains(look.browser, duration=20).double_click().perform()  # in place
    look.wait(lambda: look.actions()["trace"] == 2)
    drawn = picked(look.page.candidates(0))
    assert {name: count for name, count in drawn.items() if name != 3} == before
    look.press("1")
    look.click(155, 230)
    look.wait(lambda: look.actions()["remove"] == drawn[3])
    assert picked(look.page.candidates(0)) == before
    look.click(155, 230)
    look.wait(lambda: look.actions()["keep"] == drawn[3])
    assert picked(look.page.candidates(0)) == drawn
    look.press(*"uuu")
    look.wait(lambda: look.rows() == [])
    assert picked(look.page.candidates(0)) == before
    look.press("9")
    look.click(*DRAWN[0])
    look.wait(lambda: look.js(CORNERS) == 1)
    look.press(Keys.ESCAPE)
    look.wait(lambda: look.js(CORNERS) == 0)
    look.press("1")
    look.click(500, 300)  # where nothing is, nothing is added
    look.wait(lambda: "no filament here" in look.text("reply"))
    assert look.rows() == []
    assert look.errors() == []


def test_filaments_are_mended_by_keyboard_alone(look):
    before = picked(look.page.candidates(0))
    look.press("j", "x")
    assert look.actions() == {"remove": before[0]}  # the uppermost
    look.press(Keys.SPACE)
    assert look.actions() == {"remove": before[0], "keep": before[0]}
    look.press("u", "u", Keys.ESCAPE, "9", Keys.SPACE, *[Keys.SHIFT + Keys.ARROW_RIGHT] * 2, Keys.SPACE)
    look.press(Keys.ARROW_DOWN, Keys.SPACE, "x", Keys.ENTER)
    rows = look.rows()
    assert [row.action for row in rows] == ["trace", "trace"]
    assert rows[0].y_px == rows[1].y_px
    assert rows[1].x_px > rows[0].x_px + SPACING_PX


def test_a_filament_below_the_threshold_is_added_where_it_lies(look):
    before = look.page.candidates(0)
    low = before["filament"] == 2
    look.press("b")
    look.click(310, 275)
    look.wait(lambda: look.actions() == {"trace": low.sum()})
    after = look.page.candidates(0)
    is_drawn = after["filament"] == 2  # whose number is free again
    assert (is_drawn == (after["marks"] == 1)).all()
    place, were = (np.column_stack([record["x_px"], record["y_px"]]) for record in (after, before))
    own = place[is_drawn]
    assert abs(len(own) - low.sum()) <= 1
    away = np.linalg.norm(own[:, None] - were[low], axis=2).min(axis=1)
    assert away.max() <= SPACING_PX / 2 + 0.1
    assert look.page.counts(1e9).tolist() == [len(own), 0]


def test_lines_are_seen_and_take_the_colours_of_what_they_are(look):
    look.press("0")
    on, beside = (410, 80), (410, 130)
    look.wait(lambda: colour(look, *on)[3] > 60)
    red, green, *_ = colour(look, *on)
    assert green > red
    assert colour(look, *beside)[3] == 0
    look.js(f"{STATE} state.cut.set({{...state.cut.value, threshold: 0.95}});")
    look.wait(lambda: colour(look, *on)[3] == 0)
    assert look.text("filaments-here") == "0"
    look.js(f"{STATE} state.cut.set({{...state.cut.value, threshold: 0}});")
    look.wait(lambda: look.text("filaments-here") == "3")


def test_what_is_no_filament_is_refused_or_told(page):
    def drawn(*corners):
        rows = [{"action": "trace", "x_px": x, "y_px": y} for x, y in corners]
        status, content = page.post("api/decisions", {"micrograph": 1, "rows": rows})
        return status, "" if status == 200 else json.loads(content)["error"]

    status, told = drawn((10, 10), (10, 600))
    assert status == 400
    assert "adds a filament at 10, 600 to b.mrc, which has 576 x 512 pixels" in told
    assert drawn((10, 10), (10, 400))[0] == 200  # a micrograph without any filament: half a width apart
    found = page.candidates(1)
    assert (found["marks"] == 1).all()
    steps = np.diff(np.sort(found["y_px"]))
    assert steps == pytest.approx(np.full(len(steps), 150 / 4 / 2), abs=1e-3)
    assert not (found["unpicked"] & Reason.REMOVED_BY_HAND).any()
