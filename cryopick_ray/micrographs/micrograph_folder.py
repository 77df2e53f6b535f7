"""Which micrographs lie in a folder."""

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from cryopick_ray.errors import UsageError
from cryopick_ray.micrographs.reader import is_micrograph_name, is_movie_name


def list_folder(folder: Path) -> list[str]:
    """Return the paths of all micrographs and movies below ``folder``, relative to it, sorted.

    Hidden files and folders are skipped. Every folder is entered once, real ones before those
    behind symbolic links, so that a link cannot lead in circles or double a micrograph; a broken
    link that is named like a micrograph is listed, for its reader to report.

    Raises
    ------
    UsageError
        A folder cannot be listed: going on without it would silently lose its micrographs.
    """
    found: list[str] = []
    entered: set[tuple[int, int]] = set()
    waiting = deque([""])
    while waiting:
        inside = waiting.popleft()
        try:
            here = os.stat(folder / inside)
            if (here.st_dev, here.st_ino) in entered:
                continue
            entered.add((here.st_dev, here.st_ino))
            for entry in _visible(folder / inside):
                name = f"{inside}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    waiting.appendleft(f"{name}/")
                elif entry.is_symlink() and os.path.isdir(entry.path):
                    waiting.append(f"{name}/")
                elif is_micrograph_name(name) or is_movie_name(name):
                    found.append(name)
        except OSError as error:
            raise UsageError(f"folder {str(folder / inside)!r} cannot be listed: {error.strerror}") from error
    return sorted(found)


def _visible(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from (entry for entry in sorted(entries, key=lambda entry: entry.name) if entry.name[0] != ".")
