"""The job of doppio, found and run by CCP-EM's pipeliner in an environment of its own."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from micrograph_files import DIAMETER_A, phantom, write_mrc

ROOT = Path(__file__).resolve().parents[2]
DRIVE = """
import json
from pipeliner.api.manage_project import PipelinerProject
from pipeliner.job_factory import get_job_types

(found,) = get_job_types("cryopick")
project = PipelinerProject(make_new_project=True)
job = project.run_job({given}, run_in_foreground=True)
(command,) = job.get_commands()
outcome = {{
    "available": found.jobinfo.is_available,
    "status": project.wait_for_job_to_finish(job, timeout=60),
    "command": [str(word) for word in command.cmd],
    "nodes": [[node.name, node.type] for node in job.output_nodes],
    "shown": [one.title for one in job.create_results_display()],
}}
print(json.dumps(outcome))
"""


@pytest.fixture
def doppio(tmp_path, programs):
    """Return what runs a program for the pipeliner in a project, to which our job is installed."""
    python = os.environ.get("CRYOPICK_DOPPIO", sys.executable)
    if subprocess.run([python, "-c", "import pipeliner"], capture_output=True).returncode:
        pytest.skip("no ccpem-pipeliner: CRYOPICK_DOPPIO names a Python that has it")
    about = tmp_path / "installed" / "cryopick_ray-0.dist-info"
    about.mkdir(parents=True)
    group = "ccpem_pipeliner.jobs"
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][group]
    lines = (f"{name} = {target}\n" for name, target in points.items())
    (about / "entry_points.txt").write_text(f"[{group}]\n{''.join(lines)}")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: cryopick-ray\nVersion: 0\n")
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{about.parent}{os.pathsep}{ROOT}",
    }

    def run(code, project):
        return subprocess.run(
            [python, "-c", code], cwd=project, env=environment, capture_output=True, text=True, timeout=120
        )

    return run


def test_doppio_lists_the_job_runs_it_and_knows_its_node(doppio, tmp_path):
    project = tmp_path / "project"
    name = "MotionCorr/job002/Movies/m.mrc"
    write_mrc(project / name, phantom(0).pixels)
    (project / "mics.star").write_text(f"data_micrographs\n\nloop_\n_rlnMicrographName #1\n{name}\n")
    given = {
        "_rlnJobTypeLabel": "cryopick.autopick",
        "input_file": "mics.star",
        "diameter": str(DIAMETER_A),
        "model": "log",
        "other_args": "--engine serial",
    }
    done = doppio(DRIVE.format(given=given), project)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert outcome["available"]
    assert outcome["status"] == "Succeeded"
    words = outcome["command"]
    assert words[:6] == ["cryopick", "relion", "--o", "AutoPick/job001/", "--in_mics", "mics.star"]
    assert words[-2:] == ["--engine", "serial"]
    node = ["AutoPick/job001/autopick.star", "MicrographCoordsGroup.star.relion.autopick"]
    assert outcome["nodes"] == [node]
    assert "25 picked particles" in outcome["shown"]
    assert node[0] in (project / "default_pipeline.star").read_text()
