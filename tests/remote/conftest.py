"""An archive on loopback, the environment that leads to it, and short pauses."""

import pytest
from archive_server import ENTRY, SET, Archive, noise, served

from cryopick_ray.transfer import backoff


@pytest.fixture
def archive(monkeypatch):
    """Six micrographs of 200 kB, a gain reference and a movie."""
    monkeypatch.setattr(backoff, "PAUSES_S", (0.01, 0.05))
    archive = Archive()
    archive.entry["imagesets"] = [SET]
    for number in range(6):
        archive.add(f"data/images/m{number} +ü%.mrc", noise(number, 200_000 + number))
    archive.add("data/images/gain_ref.mrc", noise(99, 5000))
    archive.add("data/images/m0_frames.tif", noise(98, 5000))
    with served(archive):
        monkeypatch.setenv("CRYOPICK_EMPIAR_API", f"{archive.url}/api")
        monkeypatch.setenv("CRYOPICK_EMPIAR_SEARCH", f"{archive.url}/search")
        monkeypatch.setenv("CRYOPICK_EMPIAR_FILES", f"{archive.url}/files")
        for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(proxy, raising=False)
        yield archive


@pytest.fixture
def micrographs(archive):
    """The paths of the six."""
    return sorted(
        path for path in archive.files if path.startswith("data/images/m") and path.endswith(".mrc")
    )


@pytest.fixture
def entry_id():
    return ENTRY
