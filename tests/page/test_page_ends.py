"""However a page ends, it leaves nothing behind: no command at work, no folder, no noise."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing

import pytest
from served import process

from cryopick_ray.page.serve import PREFIX
from cryopick_ray.store.held_folder import held_folder

ENDLESS = """
import sys, time
from cryopick_ray.page.background_jobs import BackgroundJobs, Step
BackgroundJobs().run("endless", [Step(["view", *sys.argv[1:], "--no-browser"])])
time.sleep(600)
"""


def below(pid):
    """Return the ids of all processes that one started, and those started."""
    told = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    parents = dict(map(int, line.split()) for line in told.stdout.splitlines())
    found = {pid}
    while more := {one for one, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait(holds):
    end = time.monotonic() + 60
    while not (found := holds()):
        assert time.monotonic() < end, "never came"
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_page_that_is_killed_leaves_no_command_at_work(number, picked, tmp_path):
    words = [str(picked / "run"), "--curation", str(tmp_path / "c")]
    page = subprocess.Popen([sys.executable, "-c", ENDLESS, *words])
    try:
        wait((tmp_path / "c").is_dir)
        started = below(page.pid)
        assert len(started) >= 1
        page.send_signal(number)
        page.wait(30)
        wait(lambda: not any(map(is_there, started)))
    finally:
        page.kill()
        page.wait()


def test_an_interrupt_is_quiet_however_many_wait_for_answers(picked, tmp_path):
    with (tmp_path / "said").open("w+") as said:
        words = picked / "run", "--curation", tmp_path / "c"
        with process(*words, stderr=said) as (running, page), closing(socket.socket()) as waits:
            waits.connect(("127.0.0.1", page.port))
            head = f"POST /{page.token}/api/undo HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n"
            waits.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{{".encode())
            page.json("api/about")
            running.send_signal(signal.SIGINT)
            assert running.wait(30) == 0
        said.seek(0)
        assert said.read() == ""


def test_what_a_killed_page_left_is_cleared_when_another_starts_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old, young, other = (tmp_path / f"{name}" for name in (f"{PREFIX}old", f"{PREFIX}young", "other-old"))
    (tmp_path / f"{PREFIX}link").symlink_to(other)
    with held_folder(PREFIX) as held:
        for one in (old, young, other):
            one.mkdir()
            (one / "file").touch()
        for one in (old, other, held):
            os.utime(one, (0, 0))
        with held_folder(PREFIX) as second:
            assert second.stat().st_mode & 0o077 == 0
            assert [one.exists() for one in (old, young, other, held)] == [False, True, True, True]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [young.name, other.name, f"{PREFIX}link"]
    )
