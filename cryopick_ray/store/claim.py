"""Claims on output folders: one run at a time, and never a run with other settings."""

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
"""Files that a run killed at its start leaves, beside unfinished ones."""
KINDS = {"inputs": "run", "network": "training", "networks": "study", "models": "suite"}
KINDS |= {"box": "extraction", "assignments": "iteration"}
"""Settings that tell which kind of work a folder holds."""


def local_folder(where: str) -> Path:
    """Return the path of a local folder.

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
    held_kind = next((name for key, name in KINDS.items() if key in data), kind)
    if held_kind != kind:
        raise UsageError(f"{path} holds a {held_kind}, not a {kind}; choose another folder")
    return data


def check_free(path: Path, *, resume: bool) -> None:
    """Refuse a folder in which work can neither begin nor, with ``resume``, be resumed.

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
        check_resumable(path, [], resume=resume)
    elif path.exists() and not path.is_dir():
        raise UsageError(f"{path} is not a folder; choose another `out`")
    elif path.is_dir() and any(not (entry.name in OWN or is_aside(entry)) for entry in path.iterdir()):
        raise UsageError(f"{path} is not empty and holds no run (no config.yaml); choose another `out`")


def check_resumable(where: str | Path, changed: Sequence[str], *, resume: bool) -> None:
    """Refuse to resume the work in a folder or bucket without ``resume``, or with other settings.

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
    """Lock a folder that is empty or whose work is resumed with equal settings; write the settings there.

    Parameters
    ----------
    changed
        Settings that differ from those of the work in the folder.

    Raises
    ------
    UsageError
        If the folder holds work and ``resume`` is not asked for, something would change, or another
        run is at work in it.
    """
    config = path / "config.yaml"
    check_free(path, resume=resume)
    if config.exists():
        check_resumable(path, changed, resume=resume)
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
