"""A ``cryopick`` and a ``python`` that start at once: a process that has loaded the libraries forks for each.

What is started is a few lines that hand their arguments, environment, folder, input and outputs over to that
process, and signals that may be caught, and end as the command does, which has a process of its own, as ever.
If they are killed, so is the command, a moment later: a test of that starts the real program.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    "cryopick_ray.passes.build",
    "cryopick_ray.runs.api",
    "cryopick_ray.stages.configured_picker",
)
"""What takes a command seconds to load."""
PROGRAM = """\
#!{python} -IS
import json, os, signal, socket, sys

option, *others = sys.argv[1:] or ["-i"]
is_loaded = option[0] != "-" or option == "-m" or (option == "-c" and len(others) == 1)
if os.path.basename(sys.argv[0]) == "python" and not is_loaded:
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
with socket.socket(socket.AF_UNIX) as to:
    to.connect({address!r})
    socket.send_fds(to, [b"."], [0, 1, 2])
    for one in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda number, frame: to.send(bytes([number])))
    to.sendall(json.dumps([sys.argv, dict(os.environ), os.getcwd()]).encode() + b"\\n")
    status = int(to.recv(9))
if status < 0:
    signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


@contextmanager
def loaded_program(folder: Path) -> Iterator[Path]:
    """Yield a folder for PATH of ``cryopick``, and of ``python`` as it runs modules, code and scripts."""
    address, programs = folder / "socket", folder / "programs"
    programs.mkdir()
    for name in ("cryopick", "python"):
        (programs / name).write_text(PROGRAM.format(python=sys.executable, address=str(address)))
        (programs / name).chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(address))
        listening.listen()
        server = subprocess.Popen([sys.executable, __file__], stdin=listening)
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
    with asking.makefile("rb", buffering=0) as file:
        words, environment, folder = json.loads(file.readline())
    if child := os.fork():
        threading.Thread(target=_relay, args=(asking, child), daemon=True).start()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        asking.sendall(str(status).encode())
        os._exit(0)
    asking.close()
    for to, one in enumerate(given):
        os.dup2(one, to)
        os.close(one)
    os.setpgid(0, 0)  # a command may end its group, which is not that of the tests
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = words


def _relay(asking: socket.socket, command: int) -> None:
    """Send a command the signals that come, and kill it once nobody waits for it."""
    with suppress(ProcessLookupError):
        while number := asking.recv(1):
            os.kill(command, number[0])
        os.kill(command, signal.SIGKILL)


def _run() -> None:
    if Path(sys.argv[0]).name == "cryopick":
        from cryopick_ray.cli.main import app

        app()
    sys.executable = sys.argv[0]  # what it starts starts at once, too
    _, option, *words = sys.argv
    sys.path[0] = ""  # as Python has it but for scripts
    if option == "-m":
        sys.argv[:] = words
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    elif option == "-c":
        sys.argv[:] = ["-c"]
        exec(compile(words[0], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv[:], sys.path[0] = [option, *words], str(Path(option).parent)
        runpy.run_path(option, run_name="__main__")


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
