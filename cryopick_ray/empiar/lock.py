"""Who is at work: a name that is known to be dead as soon as its process is."""

import fcntl
import os
import re
import stat
from pathlib import Path
from uuid import uuid4

from cryopick_ray.empiar.database import check_kind

_NAME = re.compile(r"[0-9a-f]{32}")


class RunLock:
    """A name for this run, kept alive by a lock that the operating system drops when the process ends.

    Parameters
    ----------
    folder
        Where the runs of one download keep their locks; on a network folder that knows locks, the runs may
        be on several machines.

    Raises
    ------
    UsageError
        The folder, or that of the download's records around it, is a symbolic link or a file.
    """

    def __init__(self, folder: Path) -> None:
        for one in (folder.parent, folder):
            check_kind(one, stat.S_IFDIR)
        folder.mkdir(parents=True, exist_ok=True)
        self.name = uuid4().hex
        self._path = folder / self.name
        aside = folder / f".{self.name}"
        self._file = aside.open("x")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        aside.rename(self._path)  # it never lies there unlocked

    def close(self) -> None:
        """Leave; nothing must be claimed any more."""
        self._path.unlink(missing_ok=True)
        self._file.close()


def is_alive(folder: Path, name: str) -> bool:
    """Tell whether the run of that name is still at work; a name that no run has, as of a path, is dead."""
    if not _NAME.fullmatch(name) or (folder / name).is_symlink():
        return False
    try:
        descriptor = os.open(folder / name, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    (folder / name).unlink(missing_ok=True)
    return False
