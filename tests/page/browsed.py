"""A person at the page: a real browser, its mouse and its keys."""

import json
import time
from collections import Counter

import numpy as np
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from cryopick_ray.passes.decision_files import read_rows

PATIENCE_S = 20
PICTURE = """
const {main} = await import('./static/ui/stage.js');
return main.viewer.world.getItemAt(0)?.getFullyLoaded() ?? false;
"""
VIEW = "const {main} = await import('./static/ui/stage.js'); return main.view();"
STATE = "const {state} = await import('./static/ui/state.js');"
SEEN = """
const wanted = {opacityProperty: true, visibilityProperty: true};
return [...document.querySelectorAll(arguments[0])].filter((element) => {
  const {width, height} = element.getBoundingClientRect();
  return element.checkVisibility(wanted) && width > 0 && height > 0;
});
"""
COMMON = ("404 (Not Found)", "willReadFrequently", "loaded before reset")
"""Said where nothing is there, a test looks at pixels, or a micrograph is left before its tiles come."""


class View:
    """A browser on a page."""

    def __init__(self, browser, page):
        self.browser, self.page = browser, page
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.set_window_size(1400, 960)
        browser.get("about:blank")
        browser.get_log("browser")
        browser.get(f"http://127.0.0.1:{page.port}/{page.token}/")
        self.wait(lambda: self.text("picks-here").isdigit() and self.js(PICTURE))

    def wait(self, holds):
        end = time.monotonic() + PATIENCE_S
        while not (found := holds()):
            assert time.monotonic() < end, "never came"
            time.sleep(0.05)
        return found

    def id(self, name):
        return self.browser.find_element(By.ID, name)

    def all(self, selector):
        """Return what is seen; asked at once, since asking element by element takes longest."""
        return self.browser.execute_script(SEEN, selector)

    def text(self, name):
        return self.id(name).text

    def js(self, code, **given):
        names = "".join(f"const {name} = {json.dumps(value)};" for name, value in given.items())
        body = f"(async () => {{ {names} {code} }})().then(arguments[arguments.length - 1])"
        return self.browser.execute_async_script(body)

    def state(self, name):
        return self.js(f"{STATE} return state[name].value;", name=name)

    def press(self, *keys):
        for key in keys:
            self.id("main-pane").send_keys(key)

    def open(self, i):
        self.js(f"{STATE} state.current.set(i);", i=i)
        self.wait(lambda: self.state("candidates") is not None and self.js(PICTURE))

    def at(self, x_px, y_px):
        """Return where a place of the micrograph is seen, from the pane's middle."""
        view, pane = self.js(VIEW), self.id("main-pane").size
        left, top = ((px + 0.5) * view["scale"] + view[key] for px, key in ((x_px, "x"), (y_px, "y")))
        return round(left - pane["width"] / 2), round(top - pane["height"] / 2)

    def drag(self, *places):
        """Press at the first place, go through the others, let go."""
        pane, (first, *others) = self.id("main-pane"), [self.at(*place) for place in places]
        chain = ActionChains(self.browser, duration=60)
        chain = chain.move_to_element_with_offset(pane, *first).click_and_hold()
        for other in others:
            chain = chain.move_to_element_with_offset(pane, *other)
        chain.release().perform()

    def click(self, x_px, y_px):
        chain = ActionChains(self.browser, duration=20)
        chain.move_to_element_with_offset(self.id("main-pane"), *self.at(x_px, y_px)).click().perform()

    def rows(self):
        """Return what is kept in the file of this person."""
        self.wait(lambda: self.text("saved") == "saved")
        path = self.page.folder / "ana.csv"
        return read_rows([path]) if path.is_file() else []

    def actions(self):
        return Counter(row.action for row in self.rows())

    def errors(self):
        told = [record["message"] for record in self.browser.get_log("browser")]
        return [record for record in told if not any(words in record for words in COMMON)]


def picks_of(page, i):
    """Return where the picks of a micrograph are."""
    found = page.candidates(i)
    chosen = found["unpicked"] == 0
    return found["x_px"][chosen].astype(float), found["y_px"][chosen].astype(float)


def empty_place(page, i):
    """Return a place of a micrograph far from all candidates."""
    found = page.candidates(i)
    places = np.random.default_rng(0).uniform((60, 60), (510, 450), (4000, 2))
    away = np.hypot(places[:, :1] - found["x_px"], places[:, 1:] - found["y_px"]).min(axis=1)
    return places[away.argmax()].round().tolist()
