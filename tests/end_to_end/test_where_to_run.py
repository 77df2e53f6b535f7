"""Where a run is run comes from who starts it, never from a file."""

import pytest
import yaml
from micrograph_files import LOG, phantom, write_mrc

STRANGER = {"engine": "ray", "address": "127.0.0.1:1", "workers": [3, 3]}
SAID = "where to run (engine) is left out of the settings: it is said anew each time"


@pytest.fixture
def inputs(tmp_path):
    write_mrc(tmp_path / "in" / "m.mrc", phantom(0).pixels)
    return tmp_path / "in"


def test_a_file_of_settings_joins_no_cluster(inputs, cryopick, tmp_path):
    config = tmp_path / "stranger.yaml"
    config.write_text(yaml.safe_dump({"inputs": [str(inputs)], "engine": STRANGER}))
    out = tmp_path / "run"
    command = ["run", "--config", config, *LOG, "--out", out]
    status, _, errors = cryopick(*command, "--engine", "serial")
    assert (status, SAID in errors) == (0, True)
    assert "engine" not in yaml.safe_load((out / "config.yaml").read_text())


def test_a_run_that_goes_on_joins_no_cluster(inputs, cryopick, tmp_path):
    out = tmp_path / "run"
    assert cryopick("run", inputs, *LOG, "--out", out, "--engine", "serial")[0] == 0
    config = out / "config.yaml"
    config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | {"engine": STRANGER}))
    status, _, errors = cryopick("run", "--out", out, "--resume", "--engine", "serial")
    assert (status, SAID in errors) == (0, True)
    assert "127.0.0.1:1" not in config.read_text()


def test_a_variable_of_the_environment_says_it(inputs, cryopick, tmp_path, monkeypatch):
    monkeypatch.setenv("CRYOPICK_ADDRESS", "127.0.0.1:1")
    status, _, errors = cryopick("run", inputs, *LOG, "--out", tmp_path / "run")
    assert (status, "nobody answers" in errors) == (1, True)


def test_another_voltage_is_written_into_star_files_alone(inputs, cryopick, tmp_path):
    out, alone = tmp_path / "run", ["--engine", "serial"]
    assert cryopick("run", inputs, *LOG, "--out", out, *alone)[0] == 0
    picked = sorted(path.stat().st_mtime_ns for path in (out / "picks").rglob("*.parquet"))
    star = out / "coordinates" / "particles.star"
    assert "300.0" in star.read_text()
    assert cryopick("run", "--out", out, "--resume", "--voltage-kv", 200, *alone)[0] == 0
    assert "200.0" in star.read_text()
    assert sorted(path.stat().st_mtime_ns for path in (out / "picks").rglob("*.parquet")) == picked
