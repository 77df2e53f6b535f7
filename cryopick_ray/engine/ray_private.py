"""A Ray of this program's own: no other user reads its token, reaches its sockets or sees its files.

The token lives in the environment of the program and its children. Ray listens on loopback, where other
users' programs are turned away for want of the token; its files lie in a folder that is closed to them.
"""

import contextlib
import logging
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray import _raylet
from ray._private import ray_constants, utils
from ray._private.node import Node

from cryopick_ray.errors import EngineError
from cryopick_ray.store.temporary_folder import temporary_folder

OBJECT_STORE_BYTES = 100 * 2**20
"""Ids and reports only; the default would claim a third of the memory."""
PREFIX = "cpray-"
SOCKET_BYTES = 107
"""The longest path of a socket that Linux takes."""
BELOW_BYTES = len(f"/{PREFIX}01234567/r/session_2026-01-01_00-00-00_000000_0123456/sockets/plasma_store")
"""Of that, what Ray and this module put behind the folder for temporary files."""
_NO_CLUSTER = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_NO_STOCK = "RAY_prestart_worker_first_driver"
"""Whether Ray starts a process for every CPU before anyone asks; training could use none of them."""
_LOOPBACK = dict.fromkeys(
    ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"), "lo0" if sys.platform == "darwin" else "lo"
)
"""Where networks that learn together talk to each other."""
_UNUSED = (
    (Node, "start_api_server", None),
    (Node, "start_log_monitor", None),
    (Node, "start_monitor", None),
    (utils, "get_dashboard_dependency_error", ImportError("no dashboard")),
)
"""What Ray does for its dashboard, for output of workers and for an autoscaler, and what it gets instead."""

constants: Any = ray_constants
raylet: Any = _raylet  # has no type hints
_folders: list[Path] = []


def private_folder() -> Path | None:
    """Return the folder of the private Ray that this program runs; ``None`` if it runs none."""
    return _folders[-1] if _folders else None


@contextmanager
def private_ray(cpus: int) -> Iterator[None]:
    """Run a Ray on this machine that offers ``cpus`` CPUs and is this program's alone.

    Raises
    ------
    EngineError
        If there is no folder for its sockets, or it would listen to other machines.
    """
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with _closed_folder() as folder, _environment(token | _LOOPBACK | {_NO_CLUSTER: "0", _NO_STOCK: "0"}):
        _folders.append(folder)
        try:
            _start(folder, cpus)
            yield
        finally:
            _folders.pop()
            ray.shutdown()


def _start(folder: Path, cpus: int) -> None:
    """Start Ray on loopback: it would otherwise turn that address into one that other machines reach."""
    with _replaced(constants, "ENABLE_RAY_CLUSTER", False), few_processes():
        ray.init(
            address="local",
            num_cpus=cpus,
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _node_ip_address=raylet.get_localhost_ip(),
            _temp_dir=str(folder / "r"),  # which Ray opens to everyone
        )
    if not raylet.is_localhost(address := ray.util.get_node_ip_address()):
        raise EngineError(
            f"Ray {ray.__version__} listens on {address}, which others can reach, not on loopback alone; "
            "install the version of constraints.txt"
        )


@contextmanager
def few_processes() -> Iterator[None]:
    """Let Ray leave out what nothing here uses: a third of the work of a start.

    What has another name in this version of Ray is done.
    """
    with contextlib.ExitStack() as stack:
        for owner, name, answer in _UNUSED:
            if hasattr(owner, name):
                stack.enter_context(_replaced(owner, name, lambda *_, answer=answer, **__: answer))
        yield


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Give an attribute another value, and the one that was there before once the block ends."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Let Ray see these variables, and those that were there before once the block ends."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    _look_again()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        _look_again()


def _look_again() -> None:
    """Make Ray forget the token and the settings that it found earlier."""
    raylet.Config.initialize("")
    raylet.AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def _closed_folder() -> Iterator[Path]:
    """Give a new folder that only this user enters, and remove it at the end."""
    base = _short_folder()
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(temporary_folder(PREFIX, base))
        except OSError as error:
            raise EngineError(
                f"no folder for Ray in {base}: {error.strerror}; set TMPDIR to another"
            ) from error
        yield folder


def _short_folder() -> Path:
    """Return a folder for temporary files in which the paths of Ray's sockets are short enough."""
    found = [tempfile.gettempdir(), "/tmp"]
    most = SOCKET_BYTES - BELOW_BYTES
    short = [name for name in found if len(os.fsencode(name)) <= most and os.access(name, os.W_OK | os.X_OK)]
    if not short:
        raise EngineError(
            f"the sockets of Ray need a folder for temporary files with a path of at most {most} bytes, and "
            f"{found[0]} has {len(os.fsencode(found[0]))}; set TMPDIR to a shorter one that can be written"
        )
    return Path(short[0])
