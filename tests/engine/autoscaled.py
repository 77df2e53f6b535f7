"""Run units on a cluster that Ray's autoscaler grows from its head alone, with its provider for tests.

To be run in pid and network namespaces of its own: it stops every Ray process it can see, and the provider's
nodes look for the head at the usual port.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ray
from diary import complete, entries, run

from cryopick_ray.engine.open_engine import open_engine
from cryopick_ray.settings.engine_settings import EngineSettings

WORKERS = 3
CONFIG = {
    "cluster_name": "grows",
    "max_workers": WORKERS,
    "idle_timeout_minutes": 0.1,
    "upscaling_speed": 10.0,
    "provider": {"type": "fake_multinode"},
    "auth": {"ssh_user": "nobody"},
    "docker": {},
    "file_mounts": {},
    "cluster_synced_files": [],
    "initialization_commands": [],
    "setup_commands": [],
    "head_setup_commands": [],
    "worker_setup_commands": [],
    "head_start_ray_commands": [],
    "worker_start_ray_commands": [],
    "rsync_exclude": [],
    "rsync_filter": [],
    "head_node_type": "head",
    "available_node_types": {
        "head": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
        "worker": {"resources": {"CPU": 1}, "node_config": {}, "min_workers": 0, "max_workers": WORKERS},
    },
}


def alive():
    return sum(node["Alive"] for node in ray.nodes())


def main(folder):
    config = folder / "autoscaler.json"
    config.write_text(json.dumps(CONFIG))
    os.environ |= {
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "0",
    }
    scratch = tempfile.mkdtemp(prefix="ray")  # paths of sockets must be short
    start = [
        "ray",
        "start",
        "--head",
        "--num-cpus=0",
        "--port=6379",
        "--include-dashboard=false",
    ]
    subprocess.run([*start, f"--autoscaling-config={config}", f"--temp-dir={scratch}"], check=True)
    with open_engine(EngineSettings(address="auto", workers=WORKERS), threads=1) as engine:
        before = alive()
        reports = run(engine, folder, [f"meet-{WORKERS}-{n}" for n in range(12)], seconds=0.2)
        deadline = time.monotonic() + 90
        while alive() > 1 and time.monotonic() < deadline:
            time.sleep(1)
        outcome = {
            "complete": complete(reports),
            "nodes": [before, alive()],
            "nodes_worked": len({node for *_, node, _ in entries(folder)}),
        }
    subprocess.run(["ray", "stop", "--force"], check=True)
    shutil.rmtree(scratch, ignore_errors=True)
    (folder / "outcome.json").write_text(json.dumps(outcome))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
