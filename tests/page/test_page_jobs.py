"""Work that is started in a real browser: settings tried, a model taught, picks exported."""

import time

import pytest
from browsed import empty_place, picks_of
from selenium.webdriver.common.by import By

LONGEST_S = 150


def wait(holds):
    end = time.monotonic() + LONGEST_S
    while not (found := holds()):
        assert time.monotonic() < end, "never came"
        time.sleep(0.2)
    return found


def states(look, panel):
    return [element.text for element in look.all(f"#{panel} .jobs .state")]


@pytest.mark.usefixtures("at_once")
def test_settings_that_were_tried_are_seen_side_by_side(look, browser):
    look.open(2)
    look.id("tab-run").click()
    look.id("preview").click()
    assert "nothing to try" in look.text("reply")
    field = browser.find_element(By.CSS_SELECTOR, ".sets fieldset [name=diameter_A]")
    field.send_keys("170")
    look.id("preview").click()
    wait(lambda: states(look, "run") == ["done"])
    look.wait(lambda: len(look.state("about")["sources"]) == 2)
    look.press("v")
    look.wait(lambda: look.id("stage").get_attribute("data-panes") == "2")
    assert "170" in look.all(".pane-name")[0].text
    shown = "const {state} = await import('./static/ui/state.js'); return state.others.value.get(1)?.n ?? 0;"
    assert look.wait(lambda: look.js(shown)) == len(look.page.candidates(2, source=1)["x_px"])
    assert look.errors() == []


def test_picks_are_exported_as_they_are_shown(look):
    look.open(2)
    look.press("j", "x")
    look.rows()
    look.id("tab-run").click()
    look.id("export").click()
    wait(lambda: states(look, "run") == ["done"])
    [folder] = (look.page.folder.parent / "exported").iterdir()
    n = sum(len(picks_of(look.page, i)[0]) for i in range(6))
    assert f"{n} picks" in look.all("#run .jobs .last")[0].text
    assert any(folder.rglob("*.star"))


def test_a_recipe_is_started_with_marks_and_can_be_stopped(look, browser):
    look.open(2)
    x, y = picks_of(look.page, 2)
    look.id("tab-teach").click()
    assert not look.id("teach-start").is_enabled()
    look.press("6")
    for k in range(4):
        look.click(x[k], y[k])
    look.press("7")
    look.click(*empty_place(look.page, 2))
    for k in range(4, 7):
        look.click(x[k], y[k])
    look.wait(lambda: (look.text("marked-particles"), look.text("marked-wrong")) == ("4", "4"))
    look.rows()
    look.id("teach-start").click()
    wait(lambda: states(look, "teach") == ["running"])
    assert not look.id("teach-start").is_enabled()
    browser.find_element(By.CSS_SELECTOR, "#teach .jobs summary").click()
    look.wait(lambda: look.all("#teach .jobs button"))[-1].click()
    wait(lambda: states(look, "teach") == ["failed"])
    assert look.errors() == []
