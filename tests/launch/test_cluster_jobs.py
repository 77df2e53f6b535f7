"""A real Ray head with a token: runs are submitted, followed, stopped and gone on with."""

import json
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import mrcfile
import pandas
import pytest
import yaml

from cryopick_ray.simulate.phantom import make_phantom
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
ROOT = Path(__file__).resolve().parents[2]
CRYOPICK = [sys.executable, "-c", "from cli.main import app; app()"]


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [socket_.getsockname()[1] for socket_ in sockets]
    for socket_ in sockets:
        socket_.close()
    return ports


def answers(url):
    try:
        urllib.request.urlopen(f"{url}/api/version", timeout=1).close()
    except urllib.error.HTTPError as error:
        error.close()  # it wants the token, so it is there
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Head:
    url: str
    environment: dict[str, str]

    def cryopick(self, *arguments, **environment):
        return subprocess.run(
            [*CRYOPICK, "cluster", *map(str, arguments), "--address", self.url],
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def told(self, *arguments):
        done = self.cryopick(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def head():
    """Start a head of two CPUs, private in ports, folder and token."""
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))  # socket paths are short
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(16))
    environment = {
        "HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    gcs, dashboard, agent, client, metrics = free_ports(5)
    with (folder / "log").open("w") as log:
        ray = subprocess.Popen(
            [
                Path(sys.executable).parent / "ray",
                *("start", "--head", "--block", "--num-cpus=2", "--node-ip-address=127.0.0.1"),
                *(f"--port={gcs}", f"--temp-dir={folder / 'ray'}", f"--metrics-export-port={metrics}"),
                *("--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"),
                *(f"--dashboard-agent-listen-port={agent}", f"--ray-client-server-port={client}"),
                f"--object-store-memory={100 * 2**20}",
            ],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        patience = time.monotonic() + 90
        while not answers(f"http://127.0.0.1:{dashboard}"):
            assert ray.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < patience, (folder / "log").read_text()
            time.sleep(0.2)
        yield Head(f"http://127.0.0.1:{dashboard}", environment)
    finally:
        ray.terminate()
        ray.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def micrographs(folder, count, size_px=512):
    folder.mkdir()
    pixels = make_phantom(
        1, shape=(size_px, size_px), pixel_size_A=4.0, diameter_A=150.0, particles=25, signal_to_noise=0.05
    ).pixels
    for number in range(count):
        with mrcfile.new(folder / f"m{number:03}.mrc") as mrc:
            mrc.set_data(pixels)
            mrc.voxel_size = 4.0
    return folder


def config(folder, name, inputs):
    """Write a configuration and return its path; only the run matters to a Ray that is there."""
    path = folder / f"{name}.yaml"
    settings = {
        "kind": "kuberay",
        "name": name,
        "image": "registry.example.org/cryopick:1",
        "gpus_per_node": 0,
        "cpus_per_node": 2,
        "max_nodes": 1,
        "out": str(folder / f"out of {name}"),
        "run": {"inputs": [str(inputs)], "diameter_A": 150, "model": "log"},
    }
    path.write_text(yaml.safe_dump(settings))
    return path


def table_bytes(out):
    table = out / "table"
    return {p.relative_to(table).as_posix(): p.read_bytes() for p in sorted(table.rglob("*")) if p.is_file()}


def complete(out):
    return sum(
        row.status == "complete" for row in read_manifest(MicrographStore(f"{out}/store.zarr").place).values()
    )


def test_a_run_is_submitted_once_followed_and_ends_with_picks(head, tmp_path):
    inputs = micrographs(tmp_path / "it's $(here)", 4)
    path = config(tmp_path, "first", inputs)
    nothing = head.cryopick("status", path)
    assert nothing.returncode == 1
    assert "no run of" in nothing.stderr

    job = head.told("submit", path)
    assert (job["id"], job["new"]) == ("first-1", True)
    again = head.told("submit", path)
    assert again["id"] == "first-1"
    assert not again["new"]

    followed = head.cryopick("logs", path, "--follow")
    assert followed.returncode == 0, followed.stderr
    assert "pick: 4 of 4" in followed.stdout
    assert "first-1: succeeded" in followed.stderr
    now = head.told("status", path)
    assert (now["state"], now["exit_code"], now["active"]) == ("SUCCEEDED", 0, False)
    assert "pick: 4 of 4" in head.cryopick("logs", path).stdout

    out = tmp_path / "out of first"
    assert (out / "report.html").is_file()
    alone = tmp_path / "alone"
    subprocess.run(
        [
            *CRYOPICK,
            "run",
            str(inputs),
            "--out",
            str(alone),
            "--model=log",
            "--diameter=150",
            "--engine=serial",
        ],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    assert len(table_bytes(out)) > 1
    assert table_bytes(out) == table_bytes(alone)


def test_a_run_is_stopped_well_and_goes_on_where_it_was(head, tmp_path):
    inputs = micrographs(tmp_path / "many", 120, size_px=1024)
    path = config(tmp_path, "second", inputs)
    out = tmp_path / "out of second"
    head.told("submit", path)
    patience = time.monotonic() + 120
    while not list(out.glob("store.zarr/manifest/*.parquet")):
        assert time.monotonic() < patience, head.cryopick("logs", path).stdout
        time.sleep(0.2)
    stopped = head.told("stop", path)
    assert (stopped["state"], stopped["active"]) == ("STOPPED", False)
    assert "finished work is kept" in head.cryopick("logs", path).stdout
    assert not (out / "summary.json").exists()
    assert head.told("stop", path) == stopped
    done = complete(out)
    assert done

    job = head.told("submit", path)
    assert (job["id"], job["new"]) == ("second-2", True)
    followed = head.cryopick("logs", path, "--follow")
    assert followed.returncode == 0
    assert f"ingest: {120 - done} micrographs" in followed.stdout
    assert pandas.read_parquet(out / "table")["micrograph_id"].nunique() == 120


def test_a_run_that_cannot_be_says_so(head, tmp_path):
    path = config(tmp_path, "third", tmp_path / "absent")
    head.told("submit", path)
    followed = head.cryopick("logs", path, "--follow")
    assert followed.returncode == 2
    assert "absent" in followed.stdout
    assert "third-1: failed, exit status 2" in followed.stderr


@pytest.mark.parametrize("token", ["of another cluster", None])
def test_a_wrong_or_missing_token_is_said_and_none_is_shown(head, tmp_path, token):
    path = config(tmp_path, "fourth", tmp_path)
    other = tmp_path / "token"
    if token:
        other.write_text(token)
    environment = {"HOME": str(tmp_path), "RAY_AUTH_TOKEN_PATH": str(other) if token else ""}
    for command in ("submit", "status", "logs", "stop"):
        refused = head.cryopick(command, path, **environment)
        assert refused.returncode == 1
        assert "token is missing or wrong" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert "of another cluster" not in refused.stdout + refused.stderr
