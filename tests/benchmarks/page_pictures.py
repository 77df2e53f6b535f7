"""The moving picture of docs/guides/look-and-correct.md: a person at the page of a finished run."""

import io
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from page_at_scale import Served
from page_in_browser import ask, browse
from PIL import Image
from selenium import webdriver

WIDTH_PX, HEIGHT_PX = 1280, 800
SHOWN_WIDTH_PX = 960
SECONDS_A_PICTURE = 1.6
SEEN = """
const {main} = await import('./static/ui/stage.js');
const {state} = await import('./static/ui/state.js');
while (!main.viewer.world.getItemAt(0)?.getFullyLoaded() || state.candidates.value === null) await frame();
await frame();
"""


def scenes(browser: webdriver.Chrome) -> Iterator[None]:
    """Do one thing after the other, each followed by a look."""

    def do(code: str, seconds: float = 0.6) -> None:
        ask(browser, code + SEEN)
        time.sleep(seconds)

    def slide(part: float) -> str:
        return (
            f"const one = document.getElementById('threshold'); one.value = {part} * one.max;"
            "one.dispatchEvent(new Event('input', {bubbles: true}));"
        )

    do("while (document.getElementById('threshold').disabled) await frame();", 2)
    yield
    do(slide(0.2))
    yield
    do(slide(0.85))
    yield
    do("document.getElementById('cut').querySelector('button')?.click();" + slide(0.5))
    do("document.getElementById('tab-show').click();")
    yield
    do("(await import('./static/ui/stage.js')).main.viewer.viewport.zoomBy(3, null, true);", 1.5)
    yield
    do("document.getElementById('fit').click(); document.getElementById('tab-plots').click();", 1.5)
    yield
    do("document.getElementById('tab-table').click();", 1)
    yield
    do("document.getElementById('theme').click(); document.getElementById('tab-strip').click();", 1)
    yield


def main(
    run: Annotated[Path, typer.Argument(help="A finished run; its decisions stay as they are.")],
    out: Annotated[Path, typer.Argument(help="The picture, a WebP or GIF.")],
) -> None:
    """Serve the page, look at it, and write what is seen as one moving picture."""
    scratch = Path(tempfile.mkdtemp(prefix="cryopick-"))
    served, browser = Served(run), browse(scratch / "browser")
    pictures: list[Image.Image] = []
    try:
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": WIDTH_PX, "height": HEIGHT_PX, "deviceScaleFactor": 1, "mobile": False},
        )
        browser.get(served.url)
        for _ in scenes(browser):
            seen = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
            seen.thumbnail((SHOWN_WIDTH_PX, SHOWN_WIDTH_PX), Image.Resampling.LANCZOS)
            pictures.append(seen)
    finally:
        browser.quit()
        served.process.terminate()
        served.process.wait()
        shutil.rmtree(scratch, ignore_errors=True)
    first, *rest = pictures
    first.save(
        out, save_all=True, append_images=rest, duration=int(1000 * SECONDS_A_PICTURE), loop=0, quality=70
    )
    typer.echo(f"{out}: {len(pictures)} pictures, {out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    typer.run(main)
