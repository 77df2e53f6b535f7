"""Where a run's micrographs come from: all at once, or as they come."""

from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

from cryopick_ray.micrographs.sources import MicrographSource

FOLDERS_SEEN = 100


class Batches(Protocol):
    """Yields micrographs, and hears what became of them.

    Attributes
    ----------
    total
        How many there will be; ``None`` if nobody knows.
    folders
        What must be there where they are read.
    has_movies
        Whether any of them may be a movie.
    """

    total: int | None
    folders: tuple[Path, ...]
    has_movies: bool

    @property
    def is_exhausted(self) -> bool:
        """Whether no more will come, unless something is asked for again."""
        ...

    def take(self) -> list[MicrographSource]:
        """Return the micrographs that have come since the last call, without waiting for any."""
        ...

    def lost(self) -> list[tuple[MicrographSource, str]]:
        """Return those that will never come and why, each once."""
        ...

    def left_out(self) -> list[tuple[MicrographSource, str]]:
        """Return files that are not to be picked and why, each once."""
        ...

    def done(self, micrograph_ids: Iterable[str]) -> None:
        """Hear that micrographs were read, for good or with a failure: their files are not needed again."""
        ...

    def again(self, micrograph_ids: Collection[str]) -> set[str]:
        """Let micrographs come again whose stored pixels are damaged; return those that will."""
        ...


class FixedBatches:
    """Micrographs that are all there from the beginning."""

    def __init__(
        self, sources: Sequence[MicrographSource], left_out: Sequence[tuple[MicrographSource, str]] = ()
    ) -> None:
        self._sources, self._left_out = sources, list(left_out)
        self._next: list[MicrographSource] = list(sources)
        self.total: int | None = len(sources)
        self.folders = folders_of(sources)
        self.has_movies = any(source.kind == "movie" for source in sources)

    @property
    def is_exhausted(self) -> bool:
        """Whether all were taken."""
        return not self._next

    def take(self) -> list[MicrographSource]:
        """Return all of them, once."""
        taken, self._next = self._next, []
        return taken

    def lost(self) -> list[tuple[MicrographSource, str]]:
        """Return none: what is missing is told by who reads it."""
        return []

    def left_out(self) -> list[tuple[MicrographSource, str]]:
        """Return what was found beside them, once."""
        found, self._left_out = self._left_out, []
        return found

    def done(self, micrograph_ids: Iterable[str]) -> None:
        """Keep the files."""

    def again(self, micrograph_ids: Collection[str]) -> set[str]:
        """Let those come again that are among them."""
        again = [source for source in self._sources if source.micrograph_id in micrograph_ids]
        self._next += again
        return {source.micrograph_id for source in again}


def folders_of(sources: Sequence[MicrographSource]) -> tuple[Path, ...]:
    """Return the folders of the first micrographs that are there: a worker that misses one is no good."""
    folders = dict.fromkeys(source.path.parent for source in sources if not source.url)
    return tuple(folder for folder in islice(folders, FOLDERS_SEEN) if folder.is_dir())
