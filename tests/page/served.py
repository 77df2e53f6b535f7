"""A run to look at, and a page over it that is asked over real HTTP."""

import http.client
import json
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import mrcfile
import numpy as np
import uvicorn
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.page.app import make_app
from cryopick_ray.page.open_sources import PageSettings
from cryopick_ray.page.page_actions import PageActions
from cryopick_ray.page.page_session import PageSession
from cryopick_ray.page.security import new_token
from cryopick_ray.page.serve import PREFIX, bound_socket
from cryopick_ray.simulate.phantom import make_phantom
from cryopick_ray.store.temporary_folder import temporary_folder

SHAPE, PIXEL_SIZE_A, DIAMETER_A = (512, 576), 4.0, 150.0
HOSTILE = ("<img src=x onerror=alert(1)>.mrc", "a\nb.mrc", f"{'long' * 60}.mrc", "'\"&%2e%2e.mrc")


def micrographs(folder, names):
    """Write micrographs of phantoms; return their true places."""
    truth = {}
    for seed, name in enumerate(names):
        made = make_phantom(
            seed,
            shape=SHAPE,
            pixel_size_A=PIXEL_SIZE_A,
            diameter_A=DIAMETER_A,
            particles=25,
            signal_to_noise=0.05,
        )
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with mrcfile.new(path) as mrc:
            mrc.set_data(made.pixels)
            mrc.voxel_size = PIXEL_SIZE_A
        truth[name] = made.x_px, made.y_px
    return truth


def pick(inputs, out, *more):
    """Pick micrographs before a page looks at them."""
    done = CliRunner().invoke(app, _run_words(inputs, out, *more))
    assert done.exit_code in (0, 3), done.output  # 3: names that no file has


def pick_beside(inputs, out, *more):
    """Pick them in a process of its own, as while a page is open."""
    command = [sys.executable, "-m", "cryopick_ray", *_run_words(inputs, out, *more)]
    subprocess.run(command, capture_output=True, check=True)


def _run_words(inputs, out, *more):
    words = ["run", inputs, "--out", out, "--model", "log", "--diameter", DIAMETER_A]
    words += ["--store-pixel-size", 2 * PIXEL_SIZE_A, "--engine", "serial", *more]
    return [str(word) for word in words]


class Page:
    """Asks a page."""

    def __init__(self, port, token, session=None, actions=None):
        self.port, self.token, self.session, self.actions = port, token, session, actions

    def raw(self, method, path, headers=(), body=b""):
        """Send exactly this; return status, headers and content."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    @property
    def host(self):
        return ("Host", f"127.0.0.1:{self.port}")

    def get(self, path):
        status, _, content = self.raw("GET", f"/{self.token}/{path}", [self.host])
        return status, content

    def json(self, path):
        status, content = self.get(path)
        assert status == 200, (path, status, content)
        return json.loads(content)

    def post(self, path, body, *headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = [self.host, ("Content-Type", "application/json"), ("Content-Length", str(len(data))), *headers]
        status, _, content = self.raw("POST", f"/{self.token}/{path}", sent, data)
        return status, content

    def candidates(self, i, source=0):
        status, content = self.get(f"api/candidates/{source}/{i}")
        assert status == 200, content
        return unpacked(content)

    def counts(self, threshold, **sizes):
        text = "".join(f"&{name}={value}" for name, value in sizes.items())
        for _ in range(600):
            status, content = self.get(f"api/counts?threshold={threshold}{text}")
            if status != 503:
                assert status == 200, content
                return np.frombuffer(content, "<u4")
            threading.Event().wait(0.05)
        raise AssertionError("never counted")

    def wait(self, job):
        """Return a job once it ended."""
        for _ in range(1200):
            found = next(record for record in self.json("api/jobs") if record["job"] == job)
            if found["state"] != "running":
                return found
            threading.Event().wait(0.1)
        raise AssertionError("never ended")

    def start(self, **asked):
        status, content = self.post("api/start", asked)
        assert status == 200, content
        return self.wait(json.loads(content)["job"])


def unpacked(content):
    """Return candidates as a dictionary of arrays."""
    n = int(np.frombuffer(content, "<u4", 1)[0])
    numbers = np.frombuffer(content, "<f4", 4 * n, 4).reshape(4, n)
    found = dict(zip(("x_px", "y_px", "score", "size_A"), numbers, strict=True))
    at = 4 + 16 * n
    if n and len(content) == 4 + 28 * n:
        found["filament"] = np.frombuffer(content, "<i4", n, at)
        found["track_A"] = np.frombuffer(content, "<f4", n, at + 4 * n)
        at += 8 * n
    found["unpicked"] = np.frombuffer(content, "<u2", n, at)
    found["junk"], found["marks"] = np.frombuffer(content, np.uint8, 2 * n, at + 2 * n).reshape(2, n)
    assert len(content) == at + 4 * n
    return found


@contextmanager
def served(*sources, by="tester", **settings):
    """Serve a page in this process."""
    session = PageSession(PageSettings(tuple(map(str, sources)), by=by, **settings))
    with bound_socket(0) as bound, temporary_folder(PREFIX) as private:
        token, actions = new_token(), PageActions(session, private)
        config = uvicorn.Config(
            make_app(session, actions, token), log_level="error", lifespan="off", ws="none"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        session.tally.start()
        try:
            yield Page(bound.getsockname()[1], token, session, actions)
        finally:
            server.should_exit = True
            thread.join()
            actions.close()
            session.close()


@contextmanager
def process(*words, **more):
    """Serve a page as a person does; yield the process and who asks it."""
    command = [sys.executable, "-m", "cryopick_ray", "view", *map(str, words), "--no-browser"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(words[0]).parent, **more)
    try:
        found = re.search(r"http://127\.0\.0\.1:(\d+)/([\w-]+)/", running.stdout.readline())
        yield running, Page(int(found[1]), found[2])
    finally:
        running.kill()
        running.wait()
        running.stdout.close()
