"""A folder that work is done in: claimed by one run at a time, never by one with other settings."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryopick_ray.errors import UsageError
from cryopick_ray.settings.base import Settings
from cryopick_ray.settings.config import read_yaml, to_yaml
from cryopick_ray.store.publish import check_links, is_aside, open_lock, write_whole

DOWNLOAD = "download"
STORE = "store.zarr"
"""May be a link to that of another run, which one learning from it shares: its micrographs are only read."""
OWN = (".lock", "config.partial", DOWNLOAD)
"""What a run that was killed before it began leaves, beside files that are not whole."""
KINDS = {"inputs": "run", "network": "training", "networks": "study", "models": "suite"}
KINDS |= {"box": "extraction", "assignments": "iteration"}
"""Settings that tell which kind of work a folder holds."""


def local_folder(where: str) -> Path:
    """Return a folder of this machine.

    Raises
    ------
    UsageError
        If it is a bucket.
    """
    if "://" in where:
        raise UsageError(f"{where} is a bucket; this works in folders of this machine: copy it here first")
    return Path(where)


def kept_settings(path: Path, kind: str) -> dict[str, Any]:
    """Return the plain settings of the work that a folder holds.

    Raises
    ------
    UsageError
        If they cannot be read, or the work is of another kind than ``run``, ``training``, ``study``,
        ``suite``, ``extraction`` or ``iteration``, as asked.
    """
    data = read_yaml(path / "config.yaml")
    found = next((name for key, name in KINDS.items() if key in data), kind)
    if found != kind:
        raise UsageError(f"{path} holds a {found}, not a {kind}; choose another folder")
    return data


def check_free(path: Path, *, resume: bool) -> None:
    """Refuse a folder that no work can begin in, nor go on in if ``resume``.

    Raises
    ------
    UsageError
        If it holds work and ``resume`` is not asked for, or something else, or links that would be followed.
    """
    shared = (path / STORE).resolve()
    is_a_runs = shared.name == STORE and (shared.parent / "config.yaml").is_file()
    check_links(path, spare=STORE if is_a_runs else "")
    check_links(path / DOWNLOAD)
    if (path / "config.yaml").exists():
        check_goes_on(path, [], resume=resume)
    elif path.exists() and not path.is_dir():
        raise UsageError(f"{path} is not a folder; choose another `out`")
    elif path.is_dir() and any(not (one.name in OWN or is_aside(one)) for one in path.iterdir()):
        raise UsageError(f"{path} is not empty and holds no run (no config.yaml); choose another `out`")


def check_goes_on(where: str | Path, changed: Sequence[str], *, resume: bool) -> None:
    """Refuse to go on with the work in a folder or bucket unasked, or with other settings.

    Raises
    ------
    UsageError
        If ``resume`` is not asked for, or there is something that would change.
    """
    if not resume:
        raise UsageError(f"{where} holds a run; go on with it by `resume`, or choose another `out`")
    if changed:
        raise UsageError(
            f"{where} holds a run with other settings ({'; '.join(changed)}) in its config.yaml; "
            "resume with the old ones or choose another `out`"
        )


@contextmanager
def claimed(path: Path, settings: Settings, changed: Sequence[str], *, resume: bool) -> Iterator[None]:
    """Hold a folder that is empty, or whose work is to go on unchanged; keep the settings in it.

    Parameters
    ----------
    changed
        What ``settings`` would change of the work that the folder holds.

    Raises
    ------
    UsageError
        If the folder holds work and ``resume`` is not asked for, something would change, or another
        run is at work in it.
    """
    config = path / "config.yaml"
    check_free(path, resume=resume)
    if config.exists():
        check_goes_on(path, changed, resume=resume)
    path.mkdir(parents=True, exist_ok=True)
    with os.fdopen(open_lock(path / ".lock"), "r+b", buffering=0) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"another run is at work in {path}; wait for it or choose another `out`"
            ) from error
        write_whole(config, to_yaml(settings))
        yield
