"""What a person waits for on a page over 10,000 micrographs with 10 million candidates, in a real browser.

The folder is the one of ``page_at_scale.py``. Work is the time of the page's own scripts in a frame, frames
are the times from one frame to the next while the slider moves in each.
"""

import json
import shutil
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from page_at_scale import Served, make
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1440,1000")
LONGEST_S = 120
FIRST = """
const {main} = await import('./static/ui/stage.js');
const {state} = await import('./static/ui/state.js');
while (!main.viewer.world.getItemAt(0)?.getFullyLoaded() || state.candidates.value === null) await frame();
return {s_to_first_picture: performance.now() / 1000, candidates: state.candidates.value.n};
"""
READY = (
    "while (document.getElementById('threshold').disabled) await frame(); return performance.now() / 1000;"
)
SLIDE = """
const slider = document.getElementById('threshold'), work = [], frames = [];
let last = 0, began = 0, told = 0;
await new Promise((done) => {
  // In a frame `first` notes the time, then the page does what the event made it ask for, then `move` looks.
  const first = (now) => { if (frames.push(now - last)) last = now; began = performance.now(); };
  const move = () => {
    if (told > 0) work.push(performance.now() - began + told);
    if (work.length === 100) return done();
    requestAnimationFrame(first);
    const at = performance.now();
    slider.value = Math.round(slider.max * (0.5 - 0.5 * Math.cos((6.283 * work.length) / 100)));
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    told = performance.now() - at;
    requestAnimationFrame(move);
  };
  requestAnimationFrame(move);
});
return {work, frames: frames.slice(1)};
"""
TIMED = """
const {state} = await import('./static/ui/state.js');
const began = performance.now();
const order = state.order.value;
ACTION;
while (state.order.value === order) await frame();
await frame();
return performance.now() - began;
"""
ACTIONS = {
    "ms_filter": "state.filter.set('picks:200..210')",
    "ms_sort": "state.sort.set({key: 'id', descending: true})",
}
NEXT = """
const {state} = await import('./static/ui/state.js');
const {main} = await import('./static/ui/stage.js');
const times = [];
for (let k = 1; k <= 20; k++) {
  const began = performance.now();
  state.current.set(400 * k);
  await frame();
  while (!main.viewer.world.getItemAt(0)?.getFullyLoaded() || state.candidates.value === null) await frame();
  times.push(performance.now() - began);
}
return times;
"""
HEAP = "return [performance.memory.usedJSHeapSize / 2 ** 20, document.querySelectorAll('*').length];"


def browse(scratch: Path) -> webdriver.Chrome:
    """Return a browser with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for flag in (*FLAGS, f"--user-data-dir={scratch}"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    browser.set_script_timeout(LONGEST_S)
    return browser


def ask(browser: webdriver.Chrome, code: str) -> Any:
    """Return what a script of the page returns."""
    frame = "const frame = () => new Promise(requestAnimationFrame);"
    return browser.execute_async_script(
        f"(async () => {{ {frame} {code} }})().then(arguments[arguments.length - 1])"
    )


def told(values: list[float]) -> str:
    """Return the median, the 95th percentile and the worst."""
    rising = sorted(values)
    share = [rising[int(part * (len(rising) - 1))] for part in (0.5, 0.95, 1)]
    return "median {:.1f}, 95 % {:.1f}, worst {:.1f}".format(*share)


def main(
    folder: Annotated[Path, typer.Argument(help="Made unless it is there, and kept.")],
    micrographs: Annotated[int, typer.Option()] = 10_000,
    each: Annotated[int, typer.Option(help="Candidates of a micrograph, about.")] = 1000,
) -> None:
    """Look at a page and print what came of it."""
    if not folder.exists():
        make(folder, micrographs, each)
    served = Served(folder)
    browser = browse(folder.parent / f"{folder.name}-browser")
    try:
        browser.get(served.url)
        found = ask(browser, FIRST)
        found["s_until_the_slider_counts_all"] = ask(browser, READY)
        time.sleep(3)
        slid = ask(browser, SLIDE)
        found |= {f"ms_slider_{name}": told(values) for name, values in slid.items()}
        found |= {name: ask(browser, TIMED.replace("ACTION", action)) for name, action in ACTIONS.items()}
        found["ms_next_micrograph"] = told(ask(browser, NEXT))
        found["MiB_scripts"], found["elements"] = ask(browser, HEAP)
        typer.echo(json.dumps(found, indent=1))
    finally:
        browser.quit()
        served.process.terminate()
        served.process.wait()


if __name__ == "__main__":
    typer.run(main)
