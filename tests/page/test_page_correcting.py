"""Picks corrected in a real browser, by mouse and by keyboard; what is kept of it."""

import numpy as np
import pytest
from browsed import STATE, VIEW, empty_place, picks_of
from selenium.webdriver.common.keys import Keys

from cryopick_ray.passes.decision_log import DecisionLog
from cryopick_ray.passes.decisions import Decision
from cryopick_ray.picks.reasons import Reason


def test_picks_are_mended_by_mouse(look):
    i = 2
    look.open(i)
    x, y = picks_of(look.page, i)
    gone, moved = 0, int(np.argmax(np.hypot(x - x[0], y - y[0])))
    empty = empty_place(look.page, i)
    look.click(*empty)
    look.click(x[gone], y[gone])
    look.drag((x[moved], y[moved]), (x[moved] + 12, y[moved] + 9))
    rows = look.rows()
    assert [row.action for row in rows] == ["add", "remove", "remove", "add"]
    scale = look.js(VIEW)["scale"]
    assert np.hypot(rows[0].x_px - empty[0], rows[0].y_px - empty[1]) < 1.5 / scale + 0.5
    assert (rows[1].x_px, rows[1].y_px) == pytest.approx((x[gone], y[gone]), abs=0.01)
    assert (rows[3].x_px, rows[3].y_px) == pytest.approx((x[moved] + 12, y[moved] + 9), abs=2 / scale + 1)
    after = picks_of(look.page, i)
    assert len(after[0]) == len(x)
    look.click(x[gone], y[gone])  # what is removed is seen, and kept by a click
    assert look.actions()["keep"] == 1
    assert len(picks_of(look.page, i)[0]) == len(x) + 1
    for _ in range(4):
        look.id("undo").click()
    look.wait(lambda: look.rows() == [])
    assert sorted(picks_of(look.page, i)[0].tolist()) == pytest.approx(sorted(x))
    look.id("exclude").click()
    look.wait(lambda: look.text("exclude") == "Excluded")
    assert look.actions() == {"exclude": 1}
    assert look.errors() == []


def test_picks_are_mended_by_keyboard_alone(look, browser):
    i = 3
    look.open(i)
    x, _ = picks_of(look.page, i)
    look.press("j")
    at = look.state("cursor")
    look.press("x")
    [row] = look.rows()
    assert row.action == "remove"
    assert (row.x_px, row.y_px) == pytest.approx((at["x"], at["y"]), abs=0.01)
    assert len(picks_of(look.page, i)[0]) == len(x) - 1
    look.press(Keys.SHIFT + "j", "m", Keys.ARROW_RIGHT, Keys.ARROW_DOWN, "m")
    rows = look.rows()
    assert [row.action for row in rows[1:]] == ["remove", "add"]
    assert rows[2].x_px > rows[1].x_px
    assert rows[2].y_px > rows[1].y_px
    look.press(Keys.ESCAPE)
    for _ in range(3):
        look.press(Keys.ARROW_LEFT)
    look.press(Keys.SHIFT + Keys.ARROW_UP, "a")
    assert [row.action for row in look.rows()[3:]] == ["add"]
    look.press("e")
    assert look.actions()["exclude"] == 1
    look.press(*"uuuu")
    look.wait(lambda: look.rows() == [])
    look.press("?")
    assert look.id("help").is_displayed()
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    look.wait(lambda: not look.id("help").is_displayed())
    assert look.errors() == []


def test_lasso_box_and_brush_take_what_lies_in_them(look):
    i = 2
    look.open(i)
    x, y = picks_of(look.page, i)
    look.press("2")
    look.drag((10, 10), (560, 10), (560, 250), (10, 250), (10, 12))
    inside = (x > 12) & (x < 558) & (y > 14) & (y < 248)
    removed = {(round(row.x_px, 2), round(row.y_px, 2)) for row in look.rows()}
    assert inside.sum() > 5
    assert removed >= {(round(a, 2), round(b, 2)) for a, b in zip(x[inside], y[inside], strict=True)}
    assert look.actions() == {"remove": len(removed)}
    look.press("3")
    look.drag((5, 260), (300, 500))
    boxed = (x < 296) & (y > 263) & (y < 497)
    assert look.actions()["remove"] >= len(removed) + boxed.sum() > len(removed)
    look.press("u", "u")
    look.wait(lambda: look.rows() == [])
    look.press("4")
    look.drag((200, 200), (300, 200))
    discs = [row for row in look.rows() if row.action == "junk"]
    assert len(discs) >= 3
    found = look.page.candidates(i)
    away = [np.hypot(found["x_px"] - row.x_px, found["y_px"] - row.y_px) for row in discs]
    near = np.min(away, axis=0) < discs[0].radius_px - 1
    assert near.any()
    assert (found["unpicked"][near] & Reason.ON_JUNK).all()
    look.press("5")
    look.click(250, 200)
    assert look.actions()["clean"] >= 1
    assert look.errors() == []


def test_lasso_box_and_brush_work_by_keyboard(look):
    i = 2
    look.open(i)
    before = len(picks_of(look.page, i)[0])
    look.press("3", *[Keys.SHIFT + Keys.ARROW_LEFT] * 2, *[Keys.SHIFT + Keys.ARROW_UP] * 2, Keys.SPACE)
    look.press(*[Keys.SHIFT + Keys.ARROW_RIGHT] * 4, *[Keys.SHIFT + Keys.ARROW_DOWN] * 4, Keys.SPACE)
    boxed = look.actions()["remove"]
    assert 0 < boxed == before - len(picks_of(look.page, i)[0])
    look.press("u")
    look.rows()
    look.press(Keys.ESCAPE, "2", *[Keys.SHIFT + Keys.ARROW_UP] * 3, Keys.SPACE)
    look.press(*[Keys.SHIFT + Keys.ARROW_DOWN] * 6, *[Keys.SHIFT + Keys.ARROW_RIGHT] * 3, Keys.SPACE)
    look.press(*[Keys.SHIFT + Keys.ARROW_LEFT] * 6, Keys.ENTER)
    assert look.actions()["remove"] > 0
    look.press("u", "4", Keys.SPACE)
    assert look.actions() == {"junk": 1}
    look.press("5", Keys.SPACE)
    assert look.actions() == {"junk": 1, "clean": 1}


def test_marks_for_teaching_are_counted(look):
    i = 2
    look.open(i)
    x, y = picks_of(look.page, i)
    look.id("tab-teach").click()
    look.press("6")
    look.click(x[0], y[0])
    look.click(*empty_place(look.page, i))
    look.press("7")
    look.click(x[1], y[1])
    look.wait(lambda: (look.text("marked-particles"), look.text("marked-wrong")) == ("2", "1"))
    assert look.actions() == {"keep": 1, "add": 1, "remove": 1}


def test_what_cannot_be_saved_is_told_kept_and_sent_again(look, monkeypatch):
    look.open(2)

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(look.page.session, "decide", full)
    look.press("j", "x")
    look.wait(lambda: "could not be saved" in look.text("saved"))
    look.press(Keys.SHIFT + "j", "x")
    look.wait(lambda: "2 decisions" in look.text("saved"))
    look.wait(lambda: look.id("retry").is_displayed())
    monkeypatch.undo()
    look.js("document.getElementById('retry').click();")  # unless the page did so by itself just now
    assert look.actions() == {"remove": 2}


def test_others_decisions_arrive(look):
    look.open(2)
    x, y = picks_of(look.page, 2)
    name = look.page.json("api/micrographs")["columns"]["id"][2]
    before = int(look.text("picks-here"))
    book = DecisionLog(look.page.folder, "bob")
    book.append([Decision(name, "remove", float(x[0]), float(y[0]), 0.0)])
    book.close()
    look.wait(lambda: int(look.text("picks-here")) == before - 1)
    look.wait(lambda: look.state("loaded")["columns"]["decisions"][2] == 1)


def test_keys_that_are_typed_fast_act_on_what_is_there_then(look):
    look.open(2)
    x, y = picks_of(look.page, 2)
    order = np.lexsort((x, y))
    cursor = "const keys = await import('./static/ui/cursor.js');" + STATE
    at = look.js(f"{cursor} keys.jumpPick(1); keys.putHere('remove'); keys.jumpPick(-1); keys.jumpPick(1);"
                 "return state.cursor.value;")  # fmt: skip
    assert (at["x"], at["y"]) == pytest.approx((x[order[1]], y[order[1]]))
    carried = look.js(f"{cursor} keys.carry(); keys.jumpPick(1); return state.cursor.value;")
    assert carried == at
    assert "put down" in look.text("reply")
