"""Pictures of a page for the README: browsing, cutting, all reasons, the dark theme, a phone."""

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from page_at_scale import Served
from page_in_browser import FIRST, READY, ask, browse
from selenium.webdriver.common.by import By

PHONE = {"width": 390, "height": 760, "deviceScaleFactor": 2, "mobile": True}
PATIENCE_S = 2
STEPS = {
    "strip": "",
    "table": "document.getElementById('tab-table').click();",
    "reasons": """
        document.getElementById('tab-strip').click();
        document.getElementById('tab-show').click();
        const {state} = await import('./static/ui/state.js');
        const {KINDS} = await import('./static/core/picked.js');
        state.shown.set(new Set(KINDS));
        state.showMasks.set(state.about.value.has_masks);
        state.look.set('denoised');
    """,
    "dark": "document.getElementById('theme').click(); document.getElementById('tab-teach').click();",
}
"""What is done before each picture."""


def main(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    out: Annotated[Path, typer.Argument(help="Folder for the pictures.")],
    micrograph: Annotated[int, typer.Option(help="The one that is shown.")] = 0,
) -> None:
    """Take the pictures."""
    out.mkdir(parents=True, exist_ok=True)
    served = Served(run)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        browser = browse(Path(scratch))
        try:
            browser.get(served.url)
            ask(browser, FIRST)
            ask(browser, READY)
            state = "const {state} = await import('./static/ui/state.js');"
            ask(browser, f"{state} state.current.set({micrograph});")
            for name, step in STEPS.items():
                ask(browser, step)
                time.sleep(PATIENCE_S)
                browser.save_screenshot(str(out / f"page-{name}.png"))
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
            browser.find_element(By.CSS_SELECTOR, "[data-part=micrograph]").click()
            ask(
                browser, "const {main} = await import('./static/ui/stage.js'); await frame(); main.fit(true);"
            )
            time.sleep(PATIENCE_S)
            browser.save_screenshot(str(out / "page-phone.png"))
        finally:
            browser.quit()
            served.process.terminate()
            served.process.wait()


if __name__ == "__main__":
    typer.run(main)
