"""Runs compared by the maps of their picks: simulated micrographs to a page."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.engine.events import Silence
from cryopick_ray.engine.serial import SerialEngine
from cryopick_ray.runs.particle_look import picks_as_images

PIXEL_A, DIAMETER_A = 6.0, 150.0


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    out = tmp_path_factory.mktemp("structure") / "sim"
    told = ["simulate", "--molecules", "p97", "--micrographs", "2", "--shape", "384x384", "--seed", "5"]
    told += ["--pixel-size", str(PIXEL_A), "--particles", "40,40", "--engine", "serial", "--out", str(out)]
    assert CliRunner().invoke(app, told).exit_code == 0
    return out


@pytest.fixture(scope="module")
def runs(simulated):
    made = []
    for name, expect in (("strict", 25), ("lax", 60)):
        out = simulated.parent / "runs" / name
        told = ["run", str(simulated / "micrographs"), "--model", "log", "--diameter", str(DIAMETER_A)]
        told += ["--expect", str(expect), "--engine", "serial", "--out", str(out)]
        result = CliRunner().invoke(app, told)
        assert result.exit_code == 0, result.output
        made.append(out)
    return made


def test_pickers_are_compared_by_maps_of_their_picks(simulated, runs, tmp_path, cryopick):
    out = tmp_path / "compared"
    status, printed, errors = cryopick(
        "compare", *runs, "--structure", "p97", "--truth", simulated / "truth", "--engine", "serial",
        "--out", out, "--json",
    )  # fmt: skip
    assert status == 0
    for stage in ("extract: 2 micrographs", "classify: 128 steps", "structure: 2 runs", "structure: 2 of 2"):
        assert stage in errors
    told = json.loads(printed)["runs"]
    assert told == json.loads((out / "structure.json").read_text())
    strict, lax = told
    assert strict["picks"] < lax["picks"]
    assert strict["precision"] > lax["precision"]
    maps = [{(one["picks"], one["poses"]): one for one in run["maps"]} for run in told]
    for own in maps:
        assert len(own) == 4
        assert own["equal numbers", "matched"]["particles"] == strict["picks"]
        assert all(one["reference_A"] >= 2 * PIXEL_A for one in own.values())
        assert all(np.ptp(one["half_maps_A"]) >= 0 for one in own.values())
    assert strict["match_score"] > lax["match_score"]
    page = (out / "structure.html").read_text()
    assert "strict" in page
    assert "lax" in page
    assert 'src="http' not in page
    assert (out / "A" / "particles" / "matched.star").is_file()


def test_what_is_no_run_is_refused(simulated, runs, tmp_path, cryopick):
    status, _, told = cryopick(
        "compare", runs[0], simulated / "truth", "--structure", "p97", "--engine", "serial", "--out", tmp_path
    )
    assert status == 2
    assert "no run or table" in told
    status, _, told = cryopick("compare", *runs, "--structure", "p97", "--engine", "serial")
    assert status == 2
    assert "--out" in told


def test_where_files_are_gone_the_coarser_store_is_looked_at(tmp_path, cryopick):
    sim, out = tmp_path / "sim", tmp_path / "run"
    told = ["simulate", "--molecules", "p97", "--micrographs", "1", "--shape", "512x512", "--seed", "6"]
    told += ["--pixel-size", "3", "--particles", "12,12", "--engine", "serial", "--out", sim]
    assert cryopick(*told)[0] == 0
    told = ["run", sim / "micrographs", "--model", "log", "--diameter", DIAMETER_A, "--expect", 10]
    assert cryopick(*told, "--engine", "serial", "--out", out)[0] == 0
    shutil.rmtree(sim / "micrographs")
    particles = picks_as_images(out, tmp_path / "look", DIAMETER_A, SerialEngine(), Silence())
    assert len(particles) > 5
    assert particles.pixel_size_A > 4
