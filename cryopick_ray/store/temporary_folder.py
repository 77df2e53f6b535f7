"""Temporary folders, removed at the end; those of killed programs are removed by the next one."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

YOUNG_S = 60.0
"""A folder that was made so lately may not be held yet."""


@contextmanager
def temporary_folder(prefix: str, base: str | Path | None = None) -> Iterator[Path]:
    """Yield a private folder whose name has a prefix; it is locked while it is in use.

    Raises
    ------
    OSError
        If there can be none in ``base``, by default the folder of temporary files.
    """
    _remove_left_behind(Path(base or tempfile.gettempdir()), prefix)
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
    held = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(held)


def _remove_left_behind(base: Path, prefix: str) -> None:
    """Remove the folders of this user's programs that were killed."""
    for folder in base.glob(f"{prefix}*"):
        with suppress(OSError):  # held, or somebody else's
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                status = os.fstat(held)
                if status.st_uid == os.getuid() and time.time() - status.st_mtime > YOUNG_S:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(held)
