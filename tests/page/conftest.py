import shutil
import sys

import pytest
from browsed import View
from served import HOSTILE, micrographs, pick, served

NAMES = [f"square{number % 2}/{number:02d}.mrc" for number in range(4)]


@pytest.fixture(scope="session")
def picked(tmp_path_factory):
    """A finished run of the blob detector, its micrographs and what is true of them: not to be changed."""
    root = tmp_path_factory.mktemp("page")
    truth = micrographs(root / "micrographs", NAMES)
    for name, (x_px, y_px) in truth.items():
        path = (root / "truth" / name).with_suffix(".csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [f"{x:.2f},{y:.2f}" for x, y in zip(x_px, y_px, strict=True)]
        path.write_text("\n".join(["x_px,y_px", *rows]) + "\n")
    pick(root / "micrographs", root / "run")
    return root


@pytest.fixture
def at_once(programs, monkeypatch):
    """Let commands that a page starts start at once."""
    monkeypatch.setattr(sys, "executable", str(programs / "python"))


@pytest.fixture
def run(picked, tmp_path):
    """A copy of that run."""
    shutil.copytree(picked / "run", tmp_path / "run", symlinks=True)
    return tmp_path / "run"


@pytest.fixture(scope="session")
def odd(tmp_path_factory, picked):
    """The micrographs of that run and two of hostile names, and a run over all."""
    root = tmp_path_factory.mktemp("odd")
    shutil.copytree(picked / "micrographs", root / "micrographs")
    micrographs(root / "micrographs", [HOSTILE[0], HOSTILE[3]])
    pick(root / "micrographs", root / "run")
    return root


@pytest.fixture
def page(odd, picked, tmp_path):
    """A page of Ana over a copy of that run."""
    shutil.copytree(odd / "run", tmp_path / "run", symlinks=True)
    with served(tmp_path / "run", truth=str(picked / "truth"), by="ana") as page:
        page.folder = tmp_path / "run" / "curation"
        yield page


@pytest.fixture
def look(browser, page):
    """A browser on that page."""
    return View(browser, page)
