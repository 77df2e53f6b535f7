import json
import subprocess

import pytest
import yaml
from namespaces import missing
from ray_nodes import BIN, MICROGRAPHS, clean_environment

from tests.end_to_end.micrograph_files import DIAMETER_A, phantom, table_bytes, write_mrc

SLOW_PICKER = {"model": "deepem-general", "exact": True, "diameter_A": DIAMETER_A}
"""Seconds of work a micrograph, so that there is a middle of the run for something to happen in."""


@pytest.fixture(scope="session")
def namespaces():
    """Skip where there can be no hosts."""
    if reason := missing():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def micrographs(tmp_path_factory):
    """A folder that all hosts see, as everything on this machine's disk."""
    folder = tmp_path_factory.mktemp("hosts") / "micrographs"
    for seed in range(MICROGRAPHS):
        write_mrc(folder / f"{seed:02d}.mrc", phantom(seed).pixels)
    return folder


@pytest.fixture(scope="session")
def slow_run(micrographs):
    """The settings of the run that all tests do."""
    return {"inputs": [str(micrographs)], "relion_project": str(micrographs), **SLOW_PICKER}


@pytest.fixture(scope="session")
def slow_run_file(slow_run, micrographs):
    """The same as a file."""
    path = micrographs.parent / "run.yaml"
    path.write_text(yaml.safe_dump(slow_run))
    return path


@pytest.fixture(scope="session")
def undisturbed_table(slow_run_file):
    """The table of a serial run, as bytes."""
    out = slow_run_file.parent / "serial"
    command = [BIN / "cryopick", "run", "--config", slow_run_file, "--out", out, "--engine", "serial"]
    subprocess.run([*map(str, command)], check=True, capture_output=True, env=clean_environment())
    return table_bytes(out)


@pytest.fixture
def is_whole(undisturbed_table):
    """Check that a run's folder holds every micrograph once, picked as in an undisturbed run."""

    def check(out):
        summary = json.loads((out / "summary.json").read_text())
        assert (summary["complete"], summary["failed"]) == (MICROGRAPHS, 0)
        assert table_bytes(out) == undisturbed_table

    return check


@pytest.fixture
def shards():
    """Return the shards of a run and when each was written; one that is written again differs."""
    return lambda out: {path: path.stat().st_mtime_ns for path in out.glob("picks/*/*.parquet")}
