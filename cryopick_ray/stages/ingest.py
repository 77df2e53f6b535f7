"""Files to store: which micrographs of a list it does not hold yet, and who brings them in."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from cryopick_ray.engine.engine import Engine, WorkerKind
from cryopick_ray.engine.events import Events
from cryopick_ray.errors import MicrographError, PixelSizeError, UsageError
from cryopick_ray.micrographs.batches import Batches
from cryopick_ray.micrographs.exposure import average_name, read_exposure, stamp
from cryopick_ray.micrographs.movies.open_movie import open_movie
from cryopick_ray.micrographs.pixel_size import decide_pixel_size
from cryopick_ray.micrographs.preprocess import PREPARATION, is_decimated
from cryopick_ray.micrographs.sidecars.beside import sidecar_of
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.stages.averages import MovieAverages
from cryopick_ray.stages.ingest_worker import IngestWorker, pixel_size_of, stated
from cryopick_ray.store.manifest import ManifestRow, read_manifest, replace_rows
from cryopick_ray.store.scale import cropped_too_much, stored_shape, too_coarse
from cryopick_ray.store.store import MicrographStore

PROBED = 8
"""Micrographs read ahead of a run, until one can be used, to find a missing pixel size before any work."""


class Intake:
    """What a store holds and is to hold.

    Parameters
    ----------
    averages
        Where averages of movies are kept; ``None`` to keep none.
    device
        Where movies are averaged.

    Attributes
    ----------
    manifest
        The store's micrographs by id, kept up to date.
    """

    def __init__(
        self,
        store_url: str,
        settings: IngestSettings,
        *,
        averages: MovieAverages | None = None,
        device: str = "auto",
    ) -> None:
        self.store = MicrographStore(store_url, create=True)
        self.manifest = read_manifest(self.store.place)
        self._url, self._settings, self._averages, self._device = store_url, settings, averages, device
        self._held = self.store.held(self.manifest.values())
        self._names = {row.source: name for name, row in self.manifest.items()}
        self._movies: dict[str, str] = {}
        self._replaced: dict[str, ManifestRow] = {}
        self._has_told_mixture = False

    def kind(self, batches: Batches, engine: Engine) -> WorkerKind:
        """Return who brings them in: on GPUs only what may be a movie."""
        on_gpu = self._device != "cpu" and batches.has_movies and engine.has_gpus
        return WorkerKind("ingest", self.maker(batches.folders, on_gpu=on_gpu), on_gpu)

    def maker(self, folders: tuple[Path, ...], *, on_gpu: bool) -> partial[IngestWorker]:
        """Return what makes a worker where it is to run."""
        device = self._device if on_gpu else "cpu"
        return partial(
            IngestWorker, self._url, self._settings, self._averages, folders=folders, device=device
        )

    def admit(self, sources: Sequence[MicrographSource]) -> tuple[list[MicrographSource], list[str]]:
        """Return the micrographs to bring in, and the ids of those that are in but whose files have changed.

        Those stored at coarser pixels than are wanted now come again, and failed ones are tried again.

        Raises
        ------
        UsageError
            If a name stands for another file, a file for another name, ``pixel_size_A`` has changed, or two
            movies would have one average.
        """
        for source in sources:
            self._check(source)
        held = [source for source in sources if source.micrograph_id in self._held]
        changed = [one.micrograph_id for one in held if self._differs(one)]
        coarse = [one.micrograph_id for one in held if self._is_coarse(one)]
        again = {*changed, *coarse, *(source.micrograph_id for source in sources if self._is_out(source))}
        self._replaced |= {name: self.manifest.pop(name) for name in again}
        self._held -= again
        return [source for source in sources if source.micrograph_id not in self._held], changed

    def mixture(self) -> str:
        """Return what to tell before micrographs join some that an earlier version made; empty if told."""
        held = (self.manifest[name] for name in self._held)
        earlier = [
            row for row in held if row.preparation < PREPARATION and is_decimated(row.source_shape, row.shape)
        ]
        if not earlier or self._has_told_mixture:
            return ""
        self._has_told_mixture = True
        return (
            f"{len(earlier)} micrographs of the store were resampled by an earlier version; what comes now "
            "differs from what that would make of it by less than 1e-3 of the noise. For a store of one "
            "making use another `store`"
        )

    def forget(self, micrograph_ids: Iterable[str]) -> None:
        """Remove stored pixels: those micrographs are to be brought in again."""
        for name in micrograph_ids:
            self.store.forget(self.manifest[name])
            self._held.discard(name)

    def came(self, rows: Sequence[ManifestRow], failed: Iterable[str] = ()) -> None:
        """Note what has come in and what could not: the store no longer says what it said of them before."""
        ended = [*(row.micrograph_id for row in rows), *failed]
        old = [self._replaced.pop(name) for name in ended if name in self._replaced]
        replace_rows(self.store.place, {*old} - {*rows})
        for row in rows:
            self.manifest[row.micrograph_id] = row
            self._names[row.source] = row.micrograph_id
            self._held.add(row.micrograph_id)

    def leave_out(self, rows: Sequence[ManifestRow]) -> list[ManifestRow]:
        """Keep in the manifest why micrographs are not to be picked; return what it did not say before."""
        new = [row for row in rows if self.manifest.get(row.micrograph_id) != row]
        if new:
            known = [self.manifest[row.micrograph_id] for row in new if row.micrograph_id in self.manifest]
            replace_rows(self.store.place, known, new)
            self.manifest |= {row.micrograph_id: row for row in new}
        return new

    def _is_out(self, source: MicrographSource) -> bool:
        known = self.manifest.get(source.micrograph_id)
        return known is not None and known.status == "left out"

    def _is_coarse(self, source: MicrographSource) -> bool:
        """Tell whether a micrograph is to come again finer; what is stored is kept where its file is gone."""
        row, wanted_A = self.manifest[source.micrograph_id], self._settings.store_pixel_size_A
        if wanted_A is None:
            return False
        wanted = stored_shape(row.source_shape, row.pixel_size_A, wanted_A)
        is_coarse = row.height_px < wanted[0] or row.width_px < wanted[1]
        return is_coarse and (bool(source.url) or stamp(source) is not None)

    def _differs(self, source: MicrographSource) -> bool:
        row, now = self.manifest[source.micrograph_id], stamp(source)
        return row.source_mtime_ns is not None and now not in (None, (row.source_bytes, row.source_mtime_ns))

    def _check(self, source: MicrographSource) -> None:
        name, given_A = source.micrograph_id, self._settings.pixel_size_A
        known = self.manifest.get(name)
        if known is not None and known.source != source.origin:
            raise UsageError(
                f"the store holds another {name} ({known.source}, not {source.origin}); "
                "use another `store`, or give both folders in one run"
            )
        if (other := self._names.get(source.origin, name)) != name:
            raise UsageError(
                f"the store holds {source.origin} as {other}, not as {name}: names are "
                "relative to the root of `inputs`, which has changed; give the same `inputs` as before, "
                "or use another `store`"
            )
        is_in = known is not None and known.status == "complete" and self._settings.movies.binning == 1
        if is_in and known is not None and given_A not in (None, known.pixel_size_A):
            raise UsageError(
                f"the store holds {name} at {known.pixel_size_A:g} A a pixel, and "
                f"`pixel_size_A` is {given_A:g}; use another `store`"
            )
        if source.kind == "movie":
            other = self._movies.setdefault(average_name(name), name)
            if other != name:
                raise UsageError(f"{other} and {name} would have one average; give them in two runs")


def tell_changed(micrograph_ids: Sequence[str], events: Events) -> None:
    """Say which files have changed since they were read."""
    if micrograph_ids:
        more = f" and {len(micrograph_ids) - 1} more" if len(micrograph_ids) > 1 else ""
        events.note(f"{micrograph_ids[0]}{more}: the file has changed and is read again")


def probe(
    sources: Sequence[MicrographSource], settings: IngestSettings, needed_A: float | None = None
) -> None:
    """Stop now if what keeps one micrograph from being picked keeps all of them that are looked at.

    Parameters
    ----------
    needed_A
        Pixel size that the model needs; ``None`` if that is not known yet.

    Raises
    ------
    PixelSizeError
        No readable one of a few, spread over all, has a pixel size that can be used.
    """
    first: PixelSizeError | None = None
    for source in sources[:: max(1, len(sources) // PROBED)][:PROBED]:
        try:
            _probe(source, settings, needed_A)
        except MicrographError:
            continue
        except PixelSizeError as error:
            first = first or error
            continue
        return
    if first is not None:
        raise first


def _probe(source: MicrographSource, settings: IngestSettings, needed_A: float | None) -> None:
    if source.kind == "movie" and not (source.url or source.fault):
        movie = open_movie(source.path)  # its header: an average is long to wait for
        said, sidecar = stated(source, settings, movie.pixel_size_A), sidecar_of(source.path)
        said = replace(said, sidecar_A=sidecar.pixel_size_of(movie.shape), sidecar=sidecar.called)
        decide_pixel_size(said, movie.shape, settings.diameter_A)
        return
    exposure = read_exposure(source, settings)
    shape = exposure.micrograph.shape
    pixel_size_A, _ = pixel_size_of(source, exposure, settings)
    if needed_A is not None:
        name, stored = source.micrograph_id, stored_shape(shape, pixel_size_A, settings.store_pixel_size_A)
        reason = too_coarse(name, shape, pixel_size_A, needed_A)
        if reason := reason or cropped_too_much(name, shape, pixel_size_A, stored, needed_A):
            raise PixelSizeError(reason)
