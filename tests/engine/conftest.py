import pytest
from torn_store import tiny_model, torn_store

from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.settings.engine_settings import EngineSettings


@pytest.fixture(scope="module")
def ray_engine():
    """One private Ray for all tests of a file: starting it takes seconds."""
    with open_engine(EngineSettings(workers=2), threads=1) as engine:
        yield engine


@pytest.fixture(params=["serial", "ray"])
def engine(request):
    if request.param == "ray":
        yield request.getfixturevalue("ray_engine")
        return
    with open_engine(EngineSettings(engine="serial"), threads=1) as serial:
        yield serial


@pytest.fixture
def model(tmp_path):
    return tiny_model(tmp_path)


@pytest.fixture
def store(tmp_path):
    return torn_store(tmp_path)
