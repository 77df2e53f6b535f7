"""The script for SLURM, read by shellcheck."""

import shutil
import subprocess

import pytest

from cryopick_ray.launch.cluster_settings import cluster_settings
from cryopick_ray.launch.render import render

LEAST = {
    "kind": "slurm",
    "name": "apo",
    "nodes": 1,
    "gpus_per_node": 0,
    "venv": "/opt/cryopick",
    "shared_dir": "/scratch/apo",
    "out": "/scratch/apo/run",
    "run": {"inputs": ["/scratch/apo/Micrographs"]},
}
MOST = LEAST | {
    "nodes": 8,
    "partition": "gpu",
    "account": "cryo",
    "gpus_per_node": 4,
    "gpu_type": "a100",
    "memory_GB": 64,
    "time_limit": "2-00:00:00",
    "venv": "/opt/it's here",
}


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck (Debian: shellcheck)")
@pytest.mark.parametrize("settings", [LEAST, MOST], ids=["least", "most"])
def test_shellcheck_finds_nothing(settings):
    script = render(cluster_settings(settings))["job.sh"]
    checked = subprocess.run(["shellcheck", "-"], input=script, capture_output=True, text=True)
    assert (checked.returncode, checked.stdout) == (0, "")
