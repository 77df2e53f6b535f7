import pytest
from mrc_files import pixels_of, write


@pytest.fixture
def good(tmp_path):
    """The bytes of a small little-endian float32 micrograph."""
    return write(tmp_path / "good.mrc", pixels_of("f4")).read_bytes()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The working folder of a test, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
