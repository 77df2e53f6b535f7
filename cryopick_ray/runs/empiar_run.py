"""A run on an EMPIAR entry: its files are downloaded, ingested, and may be deleted to free disk space."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from cryopick_ray.empiar.checks import decide_declared_pixel_size, looks_like_gain
from cryopick_ray.empiar.download import FileSelection, fetch, open_stream, select_files
from cryopick_ray.empiar.download_manifest import Manifest
from cryopick_ray.empiar.entry import entry_number
from cryopick_ray.empiar.source import EmpiarSource
from cryopick_ray.empiar.stream import Stream
from cryopick_ray.errors import MicrographError, UsageError
from cryopick_ray.micrographs.batches import Batches
from cryopick_ray.micrographs.movies.open_movie import open_movie
from cryopick_ray.micrographs.reader import read_micrograph
from cryopick_ray.micrographs.sources import MicrographSource, relion_name
from cryopick_ray.settings.run_settings import IngestSettings, RunSettings
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.transfer.names import check_name, local_path

SettingsT = TypeVar("SettingsT", IngestSettings, RunSettings)
PREFIX = "empiar:"
SAMPLED = {"micrograph": 8, "movie": 2}
"""Files that are fetched before a run begins, to read pixel size and kind from their headers."""


class EmpiarInput:
    """An EMPIAR entry as the input of a run.

    Parameters
    ----------
    settings
        Settings with input ``empiar:10017``, or the number alone; they select files and limit the download.
    folder
        Download folder; all workers must see it.
    say
        Called with decisions and their reasons.
    """

    def __init__(self, settings: RunSettings, folder: Path, say: Callable[[str], None]) -> None:
        self._number = entry_number(settings.inputs[0])
        self._folder, self._settings, self._limit, self._say = folder, settings, settings.limit, say
        self._archive = settings.archive
        megabytes = self._archive.bandwidth_MB_s
        self._open = partial(
            EmpiarSource, connections=self._archive.connections, bytes_per_s=megabytes and megabytes * 1e6
        )

    def sources(self, relion_project: Path) -> list[MicrographSource]:
        """List the entry's images, without fetching any."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with Manifest(self._folder, self._number) as manifest:
            chosen = select_files(self._open(), self._number, manifest, self._wanted(self._limit), self._say)
            self._chosen = chosen
            paths = [(row.path, row.role) for row in manifest.chosen()]
        return [
            MicrographSource(
                micrograph_id=path,
                dataset=f"EMPIAR-{self._number}",
                path=_below(self._folder, path),
                relion_name=relion_name(self._folder / path, relion_project),
                kind="movie" if role == "movie" else "micrograph",
            )
            for path, role in paths
        ]

    def sample(self, sources: Sequence[MicrographSource]) -> list[MicrographSource]:
        """Fetch the first few files unless they are ingested; return those on disk."""
        first = list(sources[: SAMPLED[sources[0].kind]])
        with Manifest(self._folder, self._number) as manifest:
            source = self._open()
            chosen = select_files(source, self._number, manifest, self._wanted(len(first)), lambda text: None)
            fetch(source, chosen, manifest, _NoProgress())
        return [source for source in first if source.path.is_file()]

    def as_declared(self, settings: SettingsT, sample: Sequence[MicrographSource]) -> SettingsT:
        """Fill in the pixel size and the gain reference of the entry, where the settings have none."""
        declared: dict[str, object] = {}
        if settings.pixel_size_A is None:
            declared["pixel_size_A"] = self._pixel_size_A(sample)
        if settings.movies.gain is None and (gain := self._gain()) is not None:
            declared["movies"] = settings.movies.model_copy(update={"gain": gain})
        return settings.model_copy(update=declared)

    def _pixel_size_A(self, sample: Sequence[MicrographSource]) -> float | None:
        """Return the pixel size that the entry declares, where file headers have none."""
        for source in sample:
            try:
                if source.kind == "movie":
                    movie = open_movie(source.path)
                    header_A, shape = movie.pixel_size_A, movie.shape
                else:
                    micrograph = read_micrograph(source.path)
                    header_A, shape = micrograph.pixel_size_A, micrograph.shape
                    if looks_like_gain(micrograph.pixels):
                        self._say(f"{source.path.name} looks like a gain reference; `pattern` leaves it out")
            except MicrographError:
                continue
            decided_A, note = decide_declared_pixel_size(self._chosen.image_set, header_A, shape)
            if note:
                self._say(note)
            return None if header_A and header_A == decided_A else decided_A
        return None

    def _gain(self) -> Path | None:
        """Fetch the entry's gain reference, if it has exactly one for its movies."""
        gains = self._chosen.gains if self._chosen.role == "movie" else ()
        if len(gains) != 1:
            return None
        wanted = FileSelection(self._archive.image_set, gains[0].path, all_roles=True)
        with Manifest(self._folder, self._number) as manifest:
            source = self._open()
            chosen = select_files(source, self._number, manifest, wanted, lambda text: None)
            fetch(source, chosen, manifest, _NoProgress())
        self._say(f"gain reference {gains[0].path} is used; `movies.gain` gives another")
        return local_path(self._folder, gains[0].path)

    @contextmanager
    def batches(self, sources: Sequence[MicrographSource], store: MicrographStore) -> Iterator[Batches]:
        """Download the files that the store lacks; yield them as batches, as they arrive.

        Files are kept on disk, unless they are movies or ``disk_GB`` limits the space.
        """
        by_path = {source.micrograph_id: source for source in sources}
        held = self._settle(store, by_path)
        at_most_GB = self._archive.disk_GB
        keeps = at_most_GB is None and sources[0].kind == "micrograph"
        losses = _FailedDownloads()
        bytes_at_most = int(at_most_GB * 1e9) if at_most_GB else 2**62

        def open_again() -> AbstractContextManager[tuple[object, Stream]]:
            return open_stream(
                self._open(),
                self._number,
                self._folder,
                self._wanted(self._limit),
                losses,
                keep_bytes=bytes_at_most,
                keep_files=keeps,
                say=lambda text: None,
            )

        with ExitStack() as stack:
            yield _EmpiarBatches(
                by_path, held, losses, lambda: stack.enter_context(open_again())[1], self._forget
            )

    def _forget(self, micrograph_ids: Collection[str]) -> None:
        """Mark ingested and deleted files to be fetched again."""
        with Manifest(self._folder, self._number) as manifest:
            for path in micrograph_ids:
                manifest.forget(path)

    def _wanted(self, limit: int | None) -> FileSelection:
        settings = self._settings
        return FileSelection(self._archive.image_set, settings.pattern, limit, exclude=settings.exclude)

    def _settle(self, store: MicrographStore, by_path: dict[str, MicrographSource]) -> list[MicrographSource]:
        """Mark stored micrographs as done in the manifest; return those whose files are deleted."""
        held = store.held(read_manifest(store.place).values())
        gone = [path for path in by_path if path in held and not (self._folder / path).is_file()]
        with Manifest(self._folder, self._number) as manifest:
            for path in gone:
                manifest.ended(path, "ingested")
        return [by_path[path] for path in gone]


class _EmpiarBatches:
    """The files of an entry as :class:`~cryopick_ray.micrographs.batches.Batches`."""

    def __init__(
        self,
        by_path: dict[str, MicrographSource],
        held: list[MicrographSource],
        losses: "_FailedDownloads",
        open_stream: Callable[[], Stream],
        forget: Callable[[Collection[str]], None],
    ) -> None:
        self._by_path, self._held, self._losses = by_path, held, losses
        self._open, self._forget = open_stream, forget
        self._stream = open_stream()
        self._out: set[str] = set()
        self._again: set[str] = set()
        self.total: int | None = len(by_path)
        self.has_movies = any(source.kind == "movie" for source in by_path.values())
        self.folders: tuple[Path, ...] = ()

    @property
    def is_exhausted(self) -> bool:
        """Whether all files that can be fetched have arrived."""
        return self._stream.is_exhausted and not (self._held or self._again)

    def take(self) -> list[MicrographSource]:
        """Return newly completed files; the first time also the micrographs that are stored already."""
        taken, self._held = self._held, []
        if self._stream.is_exhausted and self._again and not self._out:
            self._forget(self._again)
            self._again = set()
            self._stream = self._open()
        files = [file.remote_path for file in self._stream.take(len(self._by_path), 0.0)]
        self._out.update(files)
        if not (files or self._out) and self._stream.is_stalled:
            raise UsageError("one file is larger than all that may lie on the disk; give more with `disk_GB`")
        return [*taken, *(self._by_path[path] for path in files)]

    def lost(self) -> list[tuple[MicrographSource, str]]:
        """Return files that cannot be fetched, with reasons."""
        return [
            (self._by_path[path], f"it cannot be fetched: {reason}") for path, reason in self._losses.take()
        ]

    def left_out(self) -> list[tuple[MicrographSource, str]]:
        """Return nothing: the download manifest lists the files that are not selected."""
        return []

    def done(self, micrograph_ids: Iterable[str]) -> None:
        """Free the disk space of ingested files."""
        ended = self._out.intersection(micrograph_ids)
        self._out -= ended
        self._stream.done(ended)

    def again(self, micrograph_ids: Collection[str]) -> set[str]:
        """Request another download of files; return those that belong to the entry."""
        self._again |= self._by_path.keys() & set(micrograph_ids)
        return self._by_path.keys() & set(micrograph_ids)


class _FailedDownloads:
    """Collects failed downloads from the fetching threads."""

    def __init__(self) -> None:
        self._lost: deque[tuple[str, str]] = deque()

    def take(self) -> list[tuple[str, str]]:
        """Return paths and reasons, and forget them."""
        return [self._lost.popleft() for _ in range(len(self._lost))]

    def moved(self, n_bytes: int) -> None:
        """Ignore progress in bytes: ingested micrographs show it."""

    def ended(self, path: str, reason: str) -> None:
        """Record a file that cannot be fetched."""
        if reason:
            self._lost.append((path, reason))


class _NoProgress:
    """Ignores progress: a missing file is noticed when it is read."""

    def moved(self, n_bytes: int) -> None:
        """Ignore it."""

    def ended(self, path: str, reason: str) -> None:
        """Ignore it."""


def _below(folder: Path, path: str) -> Path:
    """Return a file's path in a folder, its names checked: the manifest may be untrusted."""
    for name in path.split("/"):
        check_name(name)
    return folder / path


def is_archive(inputs: Sequence[str]) -> bool:
    """Tell whether a run's input is an EMPIAR entry.

    Raises
    ------
    UsageError
        If there are other inputs, too.
    """
    entries = [text for text in inputs if text.startswith(PREFIX)]
    if entries and len(inputs) > 1:
        raise UsageError(f"`inputs` {entries[0]!r} stands alone; pick other micrographs in another run")
    return bool(entries)
