"""A run over an EMPIAR entry: its files come, are ingested, and may make room for the next."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from cryopick_ray.empiar.checks import decide_declared_pixel_size, looks_like_gain
from cryopick_ray.empiar.download import Wanted, choose, fetch, open_stream
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
"""Files that are fetched before a run begins: what they say of themselves decides how it goes."""


class ArchiveEntry:
    """An entry of EMPIAR as INPUT.

    Parameters
    ----------
    settings
        Their INPUT is ``empiar:10017``, or the number alone; they say which files of it, and how they come.
    folder
        Where files are fetched to; all workers must see it.
    say
        Told what was decided and why, for a person.
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
        """List the entry's images; nothing of them is fetched yet."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with Manifest(self._folder, self._number) as manifest:
            chosen = choose(self._open(), self._number, manifest, self._wanted(self._limit), self._say)
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
        """Fetch the first few files unless they were ingested before; return those that are here."""
        first = list(sources[: SAMPLED[sources[0].kind]])
        with Manifest(self._folder, self._number) as manifest:
            source = self._open()
            chosen = choose(source, self._number, manifest, self._wanted(len(first)), lambda text: None)
            fetch(source, chosen, manifest, _Quiet())
        return [one for one in first if one.path.is_file()]

    def as_declared(self, settings: SettingsT, sample: Sequence[MicrographSource]) -> SettingsT:
        """Return settings with the pixel size and the gain reference that the entry has, if none is given."""
        declared: dict[str, object] = {}
        if settings.pixel_size_A is None:
            declared["pixel_size_A"] = self._pixel_size_A(sample)
        if settings.movies.gain is None and (gain := self._gain()) is not None:
            declared["movies"] = settings.movies.model_copy(update={"gain": gain})
        return settings.model_copy(update=declared)

    def _pixel_size_A(self, sample: Sequence[MicrographSource]) -> float | None:
        """Return the pixel size that the entry declares, where files say none themselves."""
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
        """Fetch the entry's gain reference, if it has just one for its movies."""
        gains = self._chosen.gains if self._chosen.role == "movie" else ()
        if len(gains) != 1:
            return None
        wanted = Wanted(self._archive.image_set, gains[0].path, all_roles=True)
        with Manifest(self._folder, self._number) as manifest:
            source = self._open()
            chosen = choose(source, self._number, manifest, wanted, lambda text: None)
            fetch(source, chosen, manifest, _Quiet())
        self._say(f"gain reference {gains[0].path} is used; `movies.gain` gives another")
        return local_path(self._folder, gains[0].path)

    @contextmanager
    def batches(self, sources: Sequence[MicrographSource], store: MicrographStore) -> Iterator[Batches]:
        """Fetch what the store does not hold, and hand it out as it comes.

        Files are kept, unless they are movies or ``disk_GB`` bounds what lies there at a time.
        """
        by_path = {source.micrograph_id: source for source in sources}
        held = self._settle(store, by_path)
        at_most_GB = self._archive.disk_GB
        keeps = at_most_GB is None and sources[0].kind == "micrograph"
        losses = _Losses()
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
            yield _Fetched(by_path, held, losses, lambda: stack.enter_context(open_again())[1], self._forget)

    def _forget(self, micrograph_ids: Collection[str]) -> None:
        """Let files be fetched anew that were ingested and deleted."""
        with Manifest(self._folder, self._number) as manifest:
            for path in micrograph_ids:
                manifest.forget(path)

    def _wanted(self, limit: int | None) -> Wanted:
        settings = self._settings
        return Wanted(self._archive.image_set, settings.pattern, limit, exclude=settings.exclude)

    def _settle(self, store: MicrographStore, by_path: dict[str, MicrographSource]) -> list[MicrographSource]:
        """Fetch nothing that the store holds already; return what it holds and no file is there of."""
        held = store.held(read_manifest(store.place).values())
        gone = [path for path in by_path if path in held and not (self._folder / path).is_file()]
        with Manifest(self._folder, self._number) as manifest:
            for path in gone:
                manifest.ended(path, "ingested")
        return [by_path[path] for path in gone]


class _Fetched:
    """The files of an entry as :class:`~cryopick_ray.micrographs.batches.Batches`."""

    def __init__(
        self,
        by_path: dict[str, MicrographSource],
        held: list[MicrographSource],
        losses: "_Losses",
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
        """Whether all files that can be fetched have come."""
        return self._stream.is_exhausted and not (self._held or self._again)

    def take(self) -> list[MicrographSource]:
        """Return what is here and complete, and at first what needs not come."""
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
        """Return what cannot be fetched."""
        return [
            (self._by_path[path], f"it cannot be fetched: {reason}") for path, reason in self._losses.take()
        ]

    def left_out(self) -> list[tuple[MicrographSource, str]]:
        """Return none: what a download is not about stands in its own manifest."""
        return []

    def done(self, micrograph_ids: Iterable[str]) -> None:
        """Make room for what is to come."""
        ended = self._out.intersection(micrograph_ids)
        self._out -= ended
        self._stream.done(ended)

    def again(self, micrograph_ids: Collection[str]) -> set[str]:
        """Let files be fetched anew."""
        self._again |= self._by_path.keys() & set(micrograph_ids)
        return self._by_path.keys() & set(micrograph_ids)


class _Losses:
    """Hears, from threads that fetch, of files that cannot be."""

    def __init__(self) -> None:
        self._lost: deque[tuple[str, str]] = deque()

    def take(self) -> list[tuple[str, str]]:
        """Return paths and reasons, each once."""
        return [self._lost.popleft() for _ in range(len(self._lost))]

    def moved(self, n_bytes: int) -> None:
        """Do nothing: ingested micrographs tell how far it is."""

    def ended(self, path: str, reason: str) -> None:
        """Note a file that cannot be fetched."""
        if reason:
            self._lost.append((path, reason))


class _Quiet:
    """Hears of a few files only if they cannot be fetched, later, when they are missing."""

    def moved(self, n_bytes: int) -> None:
        """Do nothing."""

    def ended(self, path: str, reason: str) -> None:
        """Do nothing."""


def _below(folder: Path, path: str) -> Path:
    """Return a file's place in a folder; a manifest that lies there may be a stranger's."""
    for name in path.split("/"):
        check_name(name)
    return folder / path


def is_archive(inputs: Sequence[str]) -> bool:
    """Tell whether a run is about an entry of EMPIAR.

    Raises
    ------
    UsageError
        If it is about others, too.
    """
    found = [text for text in inputs if text.startswith(PREFIX)]
    if found and len(inputs) > 1:
        raise UsageError(f"`inputs` {found[0]!r} stands alone; pick other micrographs in another run")
    return bool(found)
