"""The package as a program uses it."""

import numpy as np
import pandas as pd
import pytest
from micrograph_files import DIAMETER_A, phantom, write_mrc

import cryopick_ray
from cryopick_ray import EngineSettings, Settings, Summary, evaluate, export, plan, read_table, resume, run
from cryopick_ray.errors import UsageError

HERE = EngineSettings(engine="serial", device="cpu")


@pytest.fixture
def micrographs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed in range(3):
        write_mrc(tmp_path / "Micrographs" / f"{seed}.mrc", phantom(seed).pixels)


def test_what_is_exported_is_what_is_promised():
    for name in cryopick_ray.__all__:
        assert getattr(cryopick_ray, name).__doc__
        assert name in dir(cryopick_ray)
    assert callable(cryopick_ray.export)  # whatever was imported before
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        cryopick_ray.nothing  # noqa: B018


def test_a_run_is_started_gone_on_with_and_read(micrographs, tmp_path):
    settings = Settings(inputs=["Micrographs"], diameter_A=DIAMETER_A, model="log", exclude=["2*"])
    assert plan(settings, engine=HERE).micrographs == 2
    first = run(settings, "out", engine=HERE)
    assert isinstance(first, Summary)
    assert first.complete == 2
    with pytest.raises(UsageError, match="`resume`"):
        run(settings, "out", engine=HERE)
    with pytest.raises(UsageError, match="invert: auto -> yes"):
        resume("out", engine=HERE, invert=True)
    again = resume("out", engine=HERE, threshold=1.5, optics={"voltage_kV": 200})
    table = read_table("out")
    pd.testing.assert_frame_equal(table, pd.read_parquet("out/table")[table.columns], check_dtype=False)
    assert again.digest == first.digest
    assert again.picked == (table["score"] >= np.float32(1.5)).sum() != first.picked
    assert "200.0" in (tmp_path / "out/coordinates/particles.star").read_text()
    written = export("out", "star", "stars")
    assert (written.micrographs, written.picks) == (2, again.picked)
    assert written.files == sum(path.is_file() for path in (tmp_path / "stars").rglob("*"))
    assert evaluate("out", tmp_path / "stars" / "star", radius_A=10).pooled.recall == 1


def test_a_run_anywhere_means_the_same_files(micrographs, tmp_path, monkeypatch):
    run(Settings(inputs=["Micrographs"], diameter_A=DIAMETER_A, model="log"), "out", engine=HERE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert resume(tmp_path / "out", engine=HERE).complete == 3
