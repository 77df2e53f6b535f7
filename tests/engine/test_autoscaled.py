import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

NETWORK = (
    "ip link set lo up && ip link add net0 type dummy && ip address add 10.99.0.1/24 dev net0 && "
    "ip link set net0 up && ip route add default via 10.99.0.2"
)
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.cluster
def test_the_autoscaler_brings_nodes_for_the_workers_wanted_and_takes_them_back(tmp_path):
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare: Ray's autoscaler gets a pid namespace of its own")
    bin_folder = Path(sys.executable).parent
    subprocess.run(
        [
            "unshare",
            "--pid",
            "--fork",
            "--mount-proc",
            sys.executable,
            "tests/engine/autoscaled.py",
            tmp_path,
        ],
        cwd=ROOT,
        env=os.environ | {"PATH": f"{bin_folder}:{os.environ['PATH']}", "PYTHONPATH": "tests/engine"},
        check=True,
        timeout=280,
    )
    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert outcome["complete"] == 12
    assert outcome["nodes"] == [1, 1]
    assert outcome["nodes_worked"] == 3
