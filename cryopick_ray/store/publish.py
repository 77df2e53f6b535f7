"""Writing a file or a folder of this machine aside, and giving it its name once it is whole.

What lies under a name that is written may come from a stranger: nothing is written, emptied or removed
through a symbolic link, and a folder or a pipe in a file's place is refused.
"""

import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import IO, Any

from cryopick_ray.errors import UsageError

ASIDE = ".part"
"""End of the name of a file that is not whole; what a killed program leaves has it."""


def is_aside(path: Path) -> bool:
    """Tell whether a name is one that an unfinished file has."""
    return path.name.startswith(".") and path.suffix == ASIDE


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield an empty file beside ``path`` to write to; it takes that name if the block ends without an error.

    A link of that name is replaced, whatever it leads to.

    Raises
    ------
    UsageError
        If something else than a file has that name.
    """
    check_file(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{uuid.uuid4().hex}{ASIDE}")
    os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666))
    try:
        yield aside
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def published(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a file that takes the name ``path`` as :func:`whole` says; text is UTF-8, line ends stay."""
    text = "b" not in mode
    with (
        whole(path) as aside,
        aside.open(mode, encoding="utf-8" if text else None, newline="" if text else None) as file,
    ):
        yield file


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file that appears whole or not at all, as :func:`whole` says.

    One that has this content already only gets a new time: to replace a file, file systems wait for the disk.
    """
    data = content.encode() if isinstance(content, str) else content
    if not _is_renewed(path, data):
        with published(path, "wb") as file:
            file.write(data)


def _is_renewed(path: Path, data: bytes) -> bool:
    """Tell whether a file of no other name has this content, and give it the time of now."""
    mode = _mode(path)
    if mode is None or not stat.S_ISREG(mode):
        return False
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            about = os.fstat(file.fileno())
            is_same = about.st_nlink == 1 and about.st_size == len(data) and file.read(len(data)) == data
            if is_same:
                os.utime(file.fileno())
            return is_same
    except OSError:  # another user's, or gone meanwhile
        return False


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path`` that takes its place, and that of what is there, in the end.

    Raises
    ------
    UsageError
        If a link or a file has that name.
    """
    check_folder(path)
    aside = path.with_name(f"{path.name}.partial")
    _remove(aside)
    aside.mkdir(parents=True)
    yield aside
    _remove(path)
    aside.rename(path)


def below(root: Path, name: str | PurePath) -> Path:
    """Return the path of ``name`` below the folder ``root``, its own folders made and none of them a link.

    Raises
    ------
    UsageError
        If a link or a file has one of these names.
    """
    folder = root
    for part in PurePath(name).parent.parts:
        folder /= part
        check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return root / name


def check_file(path: Path) -> None:
    """Refuse a name that a folder, a pipe or a device has; a link may be replaced."""
    if (mode := _mode(path)) is not None and not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise UsageError(f"{path} is {_kind(mode)} where a file is to be written; move it away")


def check_folder(path: Path) -> None:
    """Refuse a name that anything but a folder has, a link to one included."""
    if (mode := _mode(path)) is not None and not stat.S_ISDIR(mode):
        raise UsageError(f"{path} is {_kind(mode)} where a folder is to be written; move it away")


def check_links(folder: Path, *, spare: str = "") -> None:
    """Refuse a folder with links that work in it would follow: all but those to files, which are replaced.

    Raises
    ------
    UsageError
        Naming the link.
    """
    links = (path for path in folder.iterdir() if path.is_symlink()) if folder.is_dir() else ()
    if link := next((link for link in links if link.name != spare and not link.is_file()), None):
        raise UsageError(f"{link} is a symbolic link, through which nothing is written; remove it")


def open_lock(path: Path) -> int:
    """Return a descriptor of the file ``path``, made if it is missing, for a lock; nothing is written to it.

    Raises
    ------
    UsageError
        If something else has that name.
    """
    check_file(path)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except OSError as error:
        if (mode := _mode(path)) is None or stat.S_ISREG(mode):
            raise
        raise UsageError(f"{path} is {_kind(mode)} where a file is to be locked; remove it") from error


def _remove(path: Path) -> None:
    """Remove a file, a link itself, or a folder with what is in it."""
    mode = _mode(path)
    if mode is not None and stat.S_ISDIR(mode):
        shutil.rmtree(path)
    elif mode is not None:
        path.unlink()


def _mode(path: Path) -> int | None:
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return None


def _kind(mode: int) -> str:
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder", stat.S_IFREG: "a file"}
    return kinds.get(stat.S_IFMT(mode), "no plain file")
