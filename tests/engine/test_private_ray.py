"""What other users of the machine, and other machines, see of a private Ray."""

import os
import shutil
import signal
import subprocess
import sys
import time
from ipaddress import ip_address
from pathlib import Path

import pytest
import ray

from cryopick_ray.engine import ray_private
from cryopick_ray.engine.ray_private import private_folder, private_ray
from cryopick_ray.errors import EngineError

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
OTHER_RUN = (
    "import ray, sys\n"
    "from cryopick_ray.engine.ray_private import private_folder, private_ray\n"
    "with private_ray(1):\n"
    "    print(private_folder(), flush=True)\n"
    "    sys.stdin.read()\n"
    "    print(ray.get(ray.remote(lambda: 7).remote()), flush=True)\n"
)
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("ss") or not shutil.which("setpriv"),
    reason="needs root, ss and setpriv",
)


@pytest.fixture
def another_run():
    program = subprocess.Popen(
        [sys.executable, "-c", OTHER_RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with program:
        yield program, Path(program.stdout.readline().strip())
        program.kill()


def family(pid):
    """Return the ids of a process and of all that come from it."""
    children = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry.parent.name))
    found = [pid]
    for process in found:
        found += children.get(process, [])
    return found


def working(pids):
    """Return those that are there, but for two agents of Ray, which need minutes to see that it is gone."""
    names = {pid: Path(f"/proc/{pid}/cmdline") for pid in pids}
    return [pid for pid, path in names.items() if path.exists() and b"Agent" not in path.read_bytes()]


def as_nobody(*command):
    return subprocess.run([*NOBODY, *map(str, command)], capture_output=True, text=True, check=False)


def is_loopback(listening):
    """Tell whether an address as ss shows it, v6 in brackets, takes calls of this machine only."""
    host = ip_address(listening.rpartition(":")[0].partition("%")[0].strip("[]").replace("*", "::"))
    return (getattr(host, "ipv4_mapped", None) or host).is_loopback


@needs_root
def test_others_reach_no_port_and_read_no_token(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with private_ray(2):
        folder, token = private_folder(), os.environ["RAY_AUTH_TOKEN"]
        assert ray.get(ray.remote(lambda: 7).remote()) == 7
        own = family(os.getpid())
        programs = [Path(f"/proc/{pid}/cmdline").read_text() for pid in own]
        assert not any("monitor.py" in program or "dashboard.py" in program for program in programs)
        lines = subprocess.run(
            ["ss", "-ltnpH"], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        listening = [line.split()[3] for line in lines if any(f"pid={pid}," in line for pid in own)]
        assert len(listening) > 5
        assert all(is_loopback(address) for address in listening), listening
        assert as_nobody("ls", folder).returncode != 0
        for pid in own:
            assert token not in Path(f"/proc/{pid}/cmdline").read_text()
            assert token not in as_nobody("cat", f"/proc/{pid}/environ").stdout
        assert not any(
            token in path.read_text(errors="ignore") for path in folder.rglob("*") if path.is_file()
        )
        wrong = os.environ | {
            "RAY_AUTH_TOKEN": "f" * 64,
            "RAY_NUM_REDIS_GET_RETRIES": "1",
        }  # of 20, one a second
        join = "import ray, sys; ray.init(sys.argv[1]); print('in')"
        command = [sys.executable, "-c", join, ray.get_runtime_context().gcs_address]
        joined = subprocess.run(command, env=wrong, capture_output=True, text=True, check=False)
        assert joined.stdout == ""
        assert "AuthenticationError" in joined.stderr
    assert not folder.exists()
    assert not (tmp_path / ".ray").exists()
    assert "RAY_AUTH_TOKEN" not in os.environ


def test_two_at_once_do_not_disturb_each_other(another_run):
    program, folder = another_run
    with private_ray(1):
        assert private_folder() != folder
        assert ray.get(ray.remote(lambda: 7).remote()) == 7
    assert folder.is_dir()
    assert program.communicate("\n", timeout=60)[0] == "7\n"
    assert not folder.exists()


def test_what_a_killed_program_leaves_goes_with_the_next_one(another_run, monkeypatch):
    program, folder = another_run
    processes = family(program.pid)
    program.send_signal(signal.SIGKILL)
    program.wait()
    until = time.monotonic() + 30
    while (left := working(processes)) and time.monotonic() < until:
        time.sleep(0.2)
    assert not left
    assert folder.is_dir()
    monkeypatch.setattr("cryopick_ray.store.temporary_folder.YOUNG_S", 0.0)
    with ray_private._closed_folder():
        assert not folder.exists()


def test_a_long_folder_for_temporary_files_is_done_without(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("x" * 117)))
    assert ray_private._short_folder() == Path("/tmp")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(EngineError, match=r"at most \d+ bytes, and .*x has \d+; set TMPDIR to a shorter one"):
        ray_private._short_folder()
