"""However a page ends, it leaves nothing behind: no command at work, no folder, no noise."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing

import pytest
from served import process

ENDLESS = """
import sys, time
from cryopick_ray.page.jobs import Jobs, Step
Jobs().run("endless", [Step(["view", *sys.argv[1:], "--no-browser"])])
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
