"""The command: it opens a page that only its user finds, ends when told to, and says what is wrong."""

import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest
from served import process

from cryopick_ray.page import serve as serving
from cryopick_ray.page.serve import _browse


def test_an_interrupt_ends_it_well(picked, tmp_path):
    with process(picked / "run", "--curation", tmp_path / "c", "--by", "ada") as (running, page):
        assert page.json("api/about")["by"] == "ada"
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
        assert running.stdout.read() == ""


@pytest.mark.parametrize(
    "words", [["nowhere"], ["RUN", "--by", ""], ["RUN", "--by", "../../x"], ["RUN", "--port", "TAKEN"]]
)
def test_what_is_wrong_is_told_in_a_line(picked, tmp_path, programs, words):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        meant = {"RUN": str(picked / "run"), "TAKEN": str(taken.getsockname()[1])}
        command = [meant.get(word, word) for word in words]
        done = subprocess.run(
            [programs / "cryopick", "view", *command, "--no-browser", "--curation", tmp_path / "c"],
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("cryopick: error: ")
    assert done.stderr.count("\n") == 1


def test_the_browser_is_told_the_address_by_a_file_that_only_its_user_reads(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(serving.webbrowser, "open", opened.append)
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    _browse("http://127.0.0.1:1/secret/", private)
    assert "secret" not in opened[0]
    path = Path(opened[0].removeprefix("file://"))
    assert "secret" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
