"""An S3 server of our own on loopback, and a proxy before it that can break requests."""

import http.client
import itertools
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest
from fault_proxy import SECRET, FaultProxy
from typer.testing import CliRunner

from cli.main import app
from cryopick_ray.store import place

COUNTER = itertools.count()


@dataclass(frozen=True)
class Bucket:
    """An empty bucket, seen through a proxy that breaks nothing until told to."""

    url: str
    proxy: FaultProxy


@pytest.fixture(scope="session")
def s3_server():
    """Host and port of an S3 server in a process of its own."""
    pytest.importorskip("moto.server", reason="the S3 server of the tests: pip install 'moto[s3,server]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", address[0], "-p", str(address[1])],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                socket.create_connection(address).close()
                break
            except OSError:
                time.sleep(0.05)
        yield address
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def bucket(s3_server, monkeypatch):
    """An empty bucket and the environment that leads to it."""
    name = f"tests-{next(COUNTER)}"
    connection = http.client.HTTPConnection(*s3_server, timeout=30)
    connection.request("PUT", f"/{name}")
    assert connection.getresponse().status == 200
    connection.close()
    for key, value in {
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "GOOGLE_BEARER_TOKEN": SECRET,
    }.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(place, "PAUSES_S", (0.01, 0.2))
    with FaultProxy(s3_server) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        monkeypatch.setenv("GOOGLE_BASE_URL", proxy.url)
        yield Bucket(f"s3://{name}", proxy)


@pytest.fixture
def cryopick():
    """Run the command line in this process; return its exit status, output and error output."""

    def run(*arguments):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return run
