"""A run over an EMPIAR entry: its files come, are ingested, and may make room for the next."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cryopick_ray.engine.events import Events
from cryopick_ray.engine.unit import Engine, UnitReport
from cryopick_ray.errors import MicrographError, UsageError
from cryopick_ray.micrographs.movies.reader import open_movie
from cryopick_ray.micrographs.reader import read_micrograph
from cryopick_ray.micrographs.remote.archive import EmpiarSource
from cryopick_ray.micrographs.remote.checks import decide_declared_pixel_size, looks_like_gain
from cryopick_ray.micrographs.remote.download import Wanted, choose, fetch, open_stream
from cryopick_ray.micrographs.remote.entry import entry_number
from cryopick_ray.micrographs.remote.manifest import Manifest
from cryopick_ray.micrographs.sources import MicrographSource, relion_name
from cryopick_ray.settings import IngestSettings, RunSettings
from cryopick_ray.stages.averages import Averages
from cryopick_ray.stages.ingest import ingest
from cryopick_ray.stages.ingest_worker import IngestWorker
from cryopick_ray.store.manifest import read_manifest
from cryopick_ray.store.store import MicrographStore

if TYPE_CHECKING:
    from cryopick_ray.micrographs.remote.stream import Stream

SettingsT = TypeVar("SettingsT", IngestSettings, RunSettings)
PREFIX = "empiar:"
SAMPLED = {"micrograph": 8, "movie": 2}
"""Files that are fetched before a run begins: what they say of themselves decides how it goes."""
ROUNDS = 50
"""A large entry is ingested in about so many; a round starts workers, and lists the store."""
ROUND_FILES, ROUND_SECONDS = 64, 60.0
"""A round takes at least so many files, unless they are slow to come."""


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
                path=self._folder / path,
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
        return self._folder / gains[0].path

    def ingest(
        self,
        sources: Sequence[MicrographSource],
        store_url: str,
        settings: IngestSettings,
        engine: Engine,
        events: Events,
        *,
        averages: Averages | None,
        device: str,
    ) -> None:
        """Fetch and ingest what the store does not hold, a round at a time, while the next files come.

        Files are kept, unless they are movies or ``disk_GB`` bounds what lies there at a time.
        """
        by_path = {source.micrograph_id: source for source in sources}
        store = MicrographStore(store_url, create=True)
        self._settle(store, by_path)
        rounds = _Rounds(events, len(sources))
        bounded_GB = self._archive.disk_GB
        with open_stream(
            self._open(),
            self._number,
            self._folder,
            self._wanted(self._limit),
            rounds,
            keep_bytes=int(bounded_GB * 1e9) if bounded_GB else 2**62,
            keep_files=bounded_GB is None and sources[0].kind == "micrograph",
            say=lambda text: None,
        ) as (_, stream):
            for paths in _rounds(stream, len(sources)):
                here = [by_path[path] for path in paths]
                ingest(here, store_url, settings, engine, rounds, averages=averages, device=device)
                stream.done(paths)
        worker = IngestWorker(store_url, settings)
        for path, reason in rounds.failed.items():
            events.report(worker.give_up([by_path[path]], f"it cannot be fetched: {reason}"))

    def fetch_again(self, micrograph_ids: Sequence[str]) -> None:
        """Let files be fetched anew that were ingested and deleted."""
        with Manifest(self._folder, self._number) as manifest:
            for path in micrograph_ids:
                manifest.forget(path)

    def _wanted(self, limit: int | None) -> Wanted:
        settings = self._settings
        return Wanted(self._archive.image_set, settings.pattern, limit, exclude=settings.exclude)

    def _settle(self, store: MicrographStore, by_path: dict[str, MicrographSource]) -> None:
        """Fetch nothing that the store holds already."""
        held = store.held(read_manifest(store.place).values())
        with Manifest(self._folder, self._number) as manifest:
            for path in held & by_path.keys():
                if not (self._folder / path).is_file():
                    manifest.ended(path, "ingested")


class _Rounds:
    """Makes one stage of many rounds of ingest, and hears of files that cannot be fetched."""

    def __init__(self, events: Events, total: int) -> None:
        self._events, self._total, self._has_begun = events, total, False
        self.failed: dict[str, str] = {}

    def stage(self, name: str, total: int) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._events.stage(name, self._total)

    def report(self, report: UnitReport) -> None:
        self._events.report(report)

    def note(self, text: str) -> None:
        self._events.note(text)

    def moved(self, n_bytes: int) -> None:
        """Do nothing: ingested micrographs tell how far it is."""

    def ended(self, path: str, reason: str) -> None:
        if reason:
            self.failed[path] = reason


class _Quiet:
    """Hears of a few files only if they cannot be fetched, later, when they are missing."""

    def moved(self, n_bytes: int) -> None:
        """Do nothing."""

    def ended(self, path: str, reason: str) -> None:
        """Do nothing."""


def _rounds(stream: "Stream", total: int) -> Iterator[list[str]]:
    """Yield the paths of files as they come, many at a time."""
    size = max(ROUND_FILES, math.ceil(total / ROUNDS))
    while not stream.is_exhausted:
        if files := stream.take(size, ROUND_SECONDS):
            yield [file.remote_path for file in files]
        elif stream.is_stalled:
            raise UsageError(
                "one file is larger than all that may lie on the disk; give more with `archive.disk_GB`"
            )


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
