"""Shared switches and places: opt-in markers and the real data, when it is there."""

import os
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from loaded_program import loaded_program

from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph

# The same cases in every run: what is green stays green until the code changes.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")

CHROMIUM = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=SpareRendererForSitePerProcess,BackForwardCache",
    "--renderer-process-limit=1",
    "--window-size=1200,900",
)

LONGEST = tuple(
    f"tests/{name}"
    for name in ("end_to_end", "page", "training", "engine", "pickers", "docs", "simulate", "remote", "fuzz")
)
"""Folders that several processes begin with: the others fill the time until all end."""
OPT_IN = {"slow": "--run-slow", "gpu": "--run-gpu", "cluster": "--run-cluster"}


def pytest_addoption(parser: pytest.Parser) -> None:
    for marker, flag in OPT_IN.items():
        parser.addoption(flag, action="store_true", help=f"run tests marked {marker}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        begun = {folder: turn for turn, folder in enumerate(LONGEST)}
        items.sort(key=lambda item: begun.get(_folder(item.nodeid), len(LONGEST)))
    for item in items:
        for marker, flag in OPT_IN.items():
            if marker in item.keywords and not config.getoption(flag):
                item.add_marker(pytest.mark.skip(reason=f"needs {flag}"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let one process do the tests of a folder, whichever is free: what they share is made once."""
    if config.getoption("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Folders(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _folder(nodeid)

    return Folders(config, log)


def _folder(nodeid: str) -> str:
    """Return the folder of a test, or its file if that lies in no folder."""
    return "/".join(nodeid.partition("::")[0].split("/")[:2])


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real micrographs with labels (CRYOPICK_DATA, or ../shared/data)."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("CRYOPICK_DATA", beside))
    if not (path / "apoferritin-10146").is_dir():
        pytest.skip("no real micrographs: set CRYOPICK_DATA")
    return path


@pytest.fixture(scope="session")
def relion() -> dict[str, str]:
    """Environment that RELION's programs run in: those of PATH, or of the folder CRYOPICK_RELION."""
    environment = dict(os.environ)
    if root := os.environ.get("CRYOPICK_RELION"):
        places = {
            "PATH": [Path(root) / "usr" / "bin"],
            "LD_LIBRARY_PATH": [*Path(root).glob("usr/lib/*-linux-gnu")],
        }
        for name, found in places.items():
            environment[name] = os.pathsep.join([*map(str, found), *filter(None, [os.environ.get(name)])])
    if shutil.which("relion_preprocess", path=environment["PATH"]) is None:
        pytest.skip("no RELION: .ci/relion DIR unpacks it, CRYOPICK_RELION=DIR names it")
    return environment


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """A folder for PATH of the command and Python in a form that starts at once."""
    with loaded_program(tmp_path_factory.mktemp("loaded")) as programs:
        yield programs


MakePicks = Callable[..., MicrographPicks]


def _make_picks(
    micrograph_id="a/b/x.mrc",
    n=20,
    *,
    picked=None,
    status="complete",
    dataset="10146",
    relion_name=None,
    shape=(1240, 1200),
    pixel_size_A=1.5,
    diameter_A=120.0,
) -> MicrographPicks:
    rng = np.random.default_rng(zlib.crc32(micrograph_id.encode()))
    failed = status == "failed"
    n = 0 if failed else n
    height, width = shape
    score = np.sort(rng.normal(size=n).astype(np.float32))[::-1]
    return MicrographPicks(
        PickedMicrograph(
            micrograph_id,
            dataset,
            relion_name or f"Micrographs/{micrograph_id}",
            None if failed else shape,
            None if failed else pixel_size_A,
            None,
            status,
            "all values are NaN" if failed else "",
        ),
        rng.uniform(0, width - 1, n).astype(np.float32),
        rng.uniform(0, height - 1, n).astype(np.float32),
        score,
        np.where(np.arange(n) < (n // 2 if picked is None else picked), 0, 1).astype(np.uint16),
        diameter_A,
    )


@pytest.fixture(scope="session")
def make_picks() -> MakePicks:
    return _make_picks


@pytest.fixture(scope="session")
def mixed(make_picks) -> list[MicrographPicks]:
    """Two micrographs of one name in two folders, one without picks, one that failed."""
    return [
        make_picks("a/x.mrc"),
        make_picks("b/x.mrc", 30),
        make_picks("b/empty.mrc", 5, picked=0),
        make_picks("b/broken.mrc", status="failed"),
    ]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """Chromium, opened once; it tells errors and requests."""
    from selenium import webdriver  # a second that other tests need not wait
    from selenium.webdriver.chrome.service import Service

    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("chromium or chromedriver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*CHROMIUM, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(driver))
    yield running
    running.quit()


@pytest.fixture(scope="module")
def browser(chromium):
    """The window of Chromium as it was opened, for the tests of a file."""
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    chromium.set_window_size(1200, 900)
    yield chromium
    chromium.get("about:blank")  # a page that stays open goes on asking
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
