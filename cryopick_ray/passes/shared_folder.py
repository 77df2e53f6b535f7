"""The files of decisions in a folder that several people write, re-read as they change."""

from pathlib import Path

from cryopick_ray.errors import UsageError
from cryopick_ray.passes.decision_files import Numbered, files_of, read_numbered

State = tuple[int, int, int] | None


class SharedFolder:
    """Files of decisions, read again as they change.

    One that cannot be read, as somebody writes it by hand, keeps nobody else from their work: what it held
    when it last could be read counts.

    Parameters
    ----------
    folder
        Of the files; there are none where it is missing.

    Attributes
    ----------
    unread
        What is wrong with the files that could not be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.unread: dict[Path, str] = {}
        self._read: dict[Path, tuple[State, list[Numbered]]] = {}

    @property
    def newest(self) -> float:
        """When a file was changed last, in seconds of the files' clock; 0 without any."""
        files = files_of([self.folder]) if self.folder.is_dir() else []
        return max((state[2] / 1e9 for path in files if (state := _state(path))), default=0.0)

    def read(self, *, but: Path | None = None) -> list[Numbered]:
        """Return what all files but one hold, each decision with its place among those of its call."""
        files = files_of([self.folder]) if self.folder.is_dir() else []
        seen = {path: _state(path) for path in files if path != but}
        self.unread = {path: text for path, text in self.unread.items() if path in seen}
        self._read = {path: self._of(path, state) for path, state in seen.items()}
        return [row for _, rows in self._read.values() for row in rows]

    def _of(self, path: Path, state: State) -> tuple[State, list[Numbered]]:
        earlier = self._read.get(path)
        if earlier is not None and earlier[0] == state:
            return earlier
        try:
            rows = list(read_numbered(path))
        except UsageError as error:
            self.unread[path] = str(error)
            return state, [] if earlier is None else earlier[1]
        self.unread.pop(path, None)
        return state, rows


def _state(path: Path) -> State:
    """Return inode, size and time of a file, which change when it does."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
