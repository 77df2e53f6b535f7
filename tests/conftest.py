"""Shared switches and places: opt-in markers and the real data, when it is there."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same cases in every run: what is green stays green until the code changes.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")

OPT_IN = {"slow": "--run-slow", "gpu": "--run-gpu", "cluster": "--run-cluster"}


def pytest_addoption(parser: pytest.Parser) -> None:
    for marker, flag in OPT_IN.items():
        parser.addoption(flag, action="store_true", help=f"run tests marked {marker}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for marker, flag in OPT_IN.items():
            if marker in item.keywords and not config.getoption(flag):
                item.add_marker(pytest.mark.skip(reason=f"needs {flag}"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real micrographs with labels (CRYOPICK_DATA, or ../shared/data)."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("CRYOPICK_DATA", beside))
    if not (path / "apoferritin-10146").is_dir():
        pytest.skip("no real micrographs: set CRYOPICK_DATA")
    return path
