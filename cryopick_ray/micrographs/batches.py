"""Sources of a run's micrographs: all at once, or as they arrive."""

from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

from cryopick_ray.micrographs.sources import MicrographSource

FOLDERS_SEEN = 100


class Batches(Protocol):
    """A source of micrographs that is told when they are done.

    Attributes
    ----------
    total
        Number of micrographs; ``None`` if unknown.
    folders
        Folders that must exist where they are read.
    has_movies
        Whether any of them may be a movie.
    """

    total: int | None
    folders: tuple[Path, ...]
    has_movies: bool

    @property
    def is_exhausted(self) -> bool:
        """Whether no more will come, except through :meth:`again`."""
        ...

    def take(self) -> list[MicrographSource]:
        """Return the micrographs that have arrived since the last call, without waiting."""
        ...

    def lost(self) -> list[tuple[MicrographSource, str]]:
        """Return micrographs that cannot be had and the reasons, each once."""
        ...

    def left_out(self) -> list[tuple[MicrographSource, str]]:
        """Return files that are not to be picked and the reasons, each once."""
        ...

    def done(self, micrograph_ids: Iterable[str]) -> None:
        """Note that micrographs were read or failed: their files are not needed any more."""
        ...

    def again(self, micrograph_ids: Collection[str]) -> set[str]:
        """Queue micrographs again whose stored pixels are damaged; return those that are available."""
        ...


class FixedBatches:
    """A fixed list of micrographs, all available from the start."""

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
        """Return none: a missing file fails when it is read."""
        return []

    def left_out(self) -> list[tuple[MicrographSource, str]]:
        """Return the files left out, once."""
        left_out, self._left_out = self._left_out, []
        return left_out

    def done(self, micrograph_ids: Iterable[str]) -> None:
        """Keep the files."""

    def again(self, micrograph_ids: Collection[str]) -> set[str]:
        """Queue those again that are in the list."""
        again = [source for source in self._sources if source.micrograph_id in micrograph_ids]
        self._next += again
        return {source.micrograph_id for source in again}


def folders_of(sources: Sequence[MicrographSource]) -> tuple[Path, ...]:
    """Return the existing folders of the first micrographs; every worker must have them."""
    folders = dict.fromkeys(source.path.parent for source in sources if not source.url)
    return tuple(folder for folder in islice(folders, FOLDERS_SEEN) if folder.is_dir())
