"""A page's own temporary folder, gone when the page ends; what killed pages left goes when another starts."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "cryopick-page-"
YOUNG_S = 60.0
"""A folder that was made so lately may not be held yet."""


@contextmanager
def private_folder() -> Iterator[Path]:
    """Give a folder that only this user reads; it is held while it is in use."""
    _clear()
    made = Path(tempfile.mkdtemp(prefix=PREFIX))
    held = os.open(made, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(held)


def _clear() -> None:
    """Remove this user's folders that no page holds any more."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # held, or somebody else's
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                about = os.fstat(folder)
                if about.st_uid == os.getuid() and about.st_mtime < time.time() - YOUNG_S:
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(folder)
