"""What tests of extractions begin with."""

import pytest
from made_extraction import make_micrographs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with three micrographs and coordinates of other programs."""
    make_micrographs(tmp_path, "abc")
    monkeypatch.chdir(tmp_path)
    return tmp_path
