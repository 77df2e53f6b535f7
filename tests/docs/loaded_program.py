"""A ``cryopick`` that starts at once: a process that has loaded the libraries forks for each command.

What a shell starts is a few lines that hand their arguments, environment, folder, input and outputs over to
that process and end with the exit status of the command, which has a process of its own, as ever.
"""

import atexit
import gc
import importlib
import json
import os
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

LOADED = (
    "dask.base",
    "jinja2",
    "pandas",
    "PIL.ImageDraw",
    "pyarrow.parquet",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.signal",
    "scipy.spatial",
    "torch._dynamo",
    "urllib3",
    "zarr",
    "cryopick_ray.cli.main",
)
"""What takes a command seconds to load."""
PROGRAM = """\
#!{python} -IS
import json, os, socket, sys

with socket.socket(socket.AF_UNIX) as to:
    to.connect({address!r})
    socket.send_fds(to, [b"."], [0, 1, 2])
    to.sendall(json.dumps([sys.argv, dict(os.environ), os.getcwd()]).encode())
    to.shutdown(socket.SHUT_WR)
    status = to.recv(9)
sys.exit(int(status))
"""


@contextmanager
def loaded_program(folder: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield a folder for PATH that holds ``cryopick`` and ``cryopick-python``, which takes ``-c CODE``."""
    address, programs = folder / "socket", folder / "programs"
    programs.mkdir()
    for name in ("cryopick", "cryopick-python"):
        (programs / name).write_text(PROGRAM.format(python=sys.executable, address=str(address)))
        (programs / name).chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(address))
        listening.listen()
        server = subprocess.Popen([sys.executable, __file__], stdin=listening, env=environment)
        try:
            yield programs
        finally:
            server.terminate()
            server.wait()


def _serve() -> None:
    """Answer who connects to the socket that is the standard input; returns in the process of a command."""
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()  # what is loaded is copied by whoever collects it
    listening, waiting = socket.socket(fileno=os.dup(0)), []
    while True:
        asking = listening.accept()[0]
        waiting = [one for one in waiting if os.waitpid(one, os.WNOHANG) == (0, 0)]
        if child := os.fork():
            waiting.append(child)
            asking.close()
        else:
            listening.close()
            return _answer(asking)


def _answer(asking: socket.socket) -> None:
    """Begin a command and tell how it ended; returns in the process of the command."""
    _, given, _, _ = socket.recv_fds(asking, 1, 3)
    with asking.makefile("rb") as file:
        words, environment, folder = json.load(file)
    if child := os.fork():
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        asking.sendall(str(status).encode())
        os._exit(0)
    asking.close()
    for to, one in enumerate(given):
        os.dup2(one, to)
        os.close(one)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = words


def _run() -> None:
    if Path(sys.argv[0]).name == "cryopick":
        from cryopick_ray.cli.main import app

        app()
    else:
        sys.path[0] = ""  # as Python has it with -c
        exec(compile(sys.argv[2], "<string>", "exec"), {"__name__": "__main__"})


def _end(status: object) -> None:
    """End as Python does, but for taking apart what was loaded, which takes a second."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else int(status is not None))


if __name__ == "__main__":
    _serve()
    try:
        _run()
    except SystemExit as ended:
        _end(ended.code)
    except BaseException:  # noqa: BLE001 - as Python tells it
        traceback.print_exc()
        _end(1)
    _end(0)
