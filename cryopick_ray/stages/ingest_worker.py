"""Files to store: what one ingest worker does with a unit."""

import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cryopick_ray.engine.prefetch import ahead
from cryopick_ray.engine.unit import UnitReport, stay, until
from cryopick_ray.errors import CryoPickError, NodeError, StoreError
from cryopick_ray.micrographs.exposure import Exposure, read_exposure
from cryopick_ray.micrographs.image_facts import look_at
from cryopick_ray.micrographs.optics_groups import VOLTAGE
from cryopick_ray.micrographs.pixel_size import Stated, decide_pixel_size
from cryopick_ray.micrographs.preprocess import PREPARATION, Normalised, prepare
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.settings.run_settings import IngestSettings
from cryopick_ray.stages.averages import MovieAverages
from cryopick_ray.store.manifest import ManifestRow, publish_part
from cryopick_ray.store.scale import stored_shape
from cryopick_ray.store.store import MicrographStore, StoredPixels

TOLD_WITHOUT_DATA = 0.02
"""Part of a micrograph without data that is worth a note: drift borders are less."""


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A micrograph on its way into the store, and its row as it will be once it is there."""

    source: MicrographSource
    row: ManifestRow
    image: Normalised


class IngestWorker:
    """Reads, resamples and normalises micrographs, and publishes them in a store's manifest.

    While one is resampled, the next is read and the one before is written.

    Parameters
    ----------
    averages
        Where averages of movies are kept; ``None`` to keep none.
    folders
        What must be there where the worker runs.
    device
        Where movies are averaged: ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    NodeError
        If one of the folders is not.
    """

    def __init__(
        self,
        store_url: str,
        settings: IngestSettings,
        averages: MovieAverages | None = None,
        *,
        folders: Sequence[Path] = (),
        device: str = "cpu",
    ) -> None:
        if missing := next((folder for folder in folders if not folder.is_dir()), None):
            raise NodeError(f"{missing} is not there on {platform.node()}; mount it on every node")
        self._store = MicrographStore(store_url)
        self._settings = settings
        self._averages = averages
        self._device = device
        self._seconds: dict[str, float] = {}
        self._remarks: list[tuple[str, str]] = []

    def process(self, items: Sequence[MicrographSource], leaving: Callable[[], bool] = stay) -> UnitReport:
        """Ingest the micrographs and publish their manifest rows; published twice, a row counts once."""
        self._seconds, self._remarks = dict.fromkeys(("read", "prepare", "write"), 0.0), []
        with (
            closing(ahead(self._read, until(leaving, items))) as read,
            closing(ahead(self._write, map(self._prepare, items, read))) as written,
        ):
            rows = [row() for row in written]
        report = self._publish(rows) if rows else UnitReport(0)
        undone = tuple(range(len(rows), len(items)))
        return replace(report, undone=undone, remarks=tuple(self._remarks))

    def give_up(self, items: Sequence[MicrographSource], reason: str) -> UnitReport:
        """Publish that the micrographs failed, without touching them."""
        self._seconds = {}
        return self._publish([failed_row(source, reason) for source in items])

    def _read(self, source: MicrographSource) -> Exposure:
        with self._timed("read"):
            return read_exposure(source, self._settings, self._device)

    def _prepare(self, source: MicrographSource, read: Callable[[], Exposure]) -> _Prepared | ManifestRow:
        try:
            exposure = read()
            micrograph, settings = exposure.micrograph, self._settings
            warnings = exposure.average.warnings if exposure.average else ()
            notes = [*micrograph.notes, *exposure.notes, *warnings]
            if exposure.average is not None and self._averages is not None:
                with self._timed("write"):
                    relion_name = self._averages.keep(source.micrograph_id, exposure.average)
                source = replace(source, relion_name=relion_name)
            with self._timed("prepare"):
                pixel_size_A, doubts = pixel_size_of(source, exposure, settings)
                shape = stored_shape(micrograph.shape, pixel_size_A, settings.store_pixel_size_A)
                file = micrograph.file
                image = prepare(micrograph.pixels, shape, None if file is None else file.see)
                looks = look_at(image.pixels)
                checksum = exposure.checksum()
            notes += doubts
            if (voltage_kV := exposure.sidecar.voltage_kV) is not None:
                source = replace(source, optics_group=json.dumps({VOLTAGE: f"{voltage_kV:.6f}"}))
                notes.append(f"voltage {voltage_kV:g} kV from its {exposure.sidecar.called}")
            if image.no_data.share(micrograph.shape) >= TOLD_WITHOUT_DATA:
                notes.append("a part of it is constant or NaN, holds no picture and gives no picks")
            self._remarks += [(source.micrograph_id, text) for text in notes]
        except Exception as error:
            if isinstance(error, CryoPickError) and error.elsewhere:
                raise
            return failed_row(source, str(error) or repr(error))
        row = replace(
            failed_row(source, ""),
            checksum=checksum,
            source_height_px=micrograph.shape[0],
            source_width_px=micrograph.shape[1],
            pixel_size_A=pixel_size_A,
            height_px=shape[0],
            width_px=shape[1],
            status="complete",
            source_bytes=None if exposure.stamp is None else exposure.stamp[0],
            source_mtime_ns=None if exposure.stamp is None else exposure.stamp[1],
            notes="\n".join(notes),
            no_data=image.no_data.to_text(),
            looks=looks.to_text(),
            preparation=PREPARATION,
        )
        return _Prepared(source, row, image)

    def _write(self, prepared: _Prepared | ManifestRow) -> ManifestRow:
        if isinstance(prepared, ManifestRow):
            return prepared
        source, image = prepared.source, prepared.image
        try:
            with self._timed("write"):
                stored = StoredPixels(image.pixels, image.offset, image.scale)
                return replace(prepared.row, shard_bytes=self._store.write(source.micrograph_id, stored))
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            return failed_row(source, str(error) or repr(error))

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[stage] = self._seconds.get(stage, 0.0) + time.perf_counter() - start

    def _publish(self, rows: list[ManifestRow]) -> UnitReport:
        with self._timed("write"):
            publish_part(self._store.place, rows)
        failures = tuple((row.micrograph_id, row.reason) for row in rows if row.status == "failed")
        made = tuple(row for row in rows if row.status == "complete")
        return UnitReport(len(made), failures, seconds=dict(self._seconds), made=made)


def pixel_size_of(
    source: MicrographSource, exposure: Exposure, settings: IngestSettings
) -> tuple[float, tuple[str, ...]]:
    """Return a micrograph's pixel size in angstroms, and what there is to doubt of it.

    What is given and listed of a movie is its frames'; its average knows what became of it.
    """
    own_A = exposure.micrograph.pixel_size_A
    said = stated(source, settings, own_A)
    if exposure.average is not None:
        is_listed = said.original_A or said.listed_A
        said = Stated(own_A, own_A if said.given_A else None, own_A if is_listed else None)
    said = replace(
        said,
        unclear_size=exposure.micrograph.unclear_size,
        sidecar_A=exposure.sidecar_A,
        sidecar=exposure.sidecar.called,
    )
    return decide_pixel_size(said, exposure.micrograph.shape, settings.diameter_A)


def stated(source: MicrographSource, settings: IngestSettings, header_A: float | None) -> Stated:
    """Return what the file, a person and the list say of a micrograph's pixel size."""
    return Stated(header_A, settings.pixel_size_A, source.pixel_size_A, source.original_pixel_size_A)


def failed_row(source: MicrographSource, reason: str) -> ManifestRow:
    """Return what the manifest says of a micrograph that cannot be used."""
    optics = source.optics
    return ManifestRow(
        micrograph_id=source.micrograph_id,
        dataset=source.dataset,
        relion_name=source.relion_name,
        source=source.origin,
        checksum="",
        source_height_px=0,
        source_width_px=0,
        pixel_size_A=0.0,
        height_px=0,
        width_px=0,
        shard_bytes=0,
        voltage_kV=optics.voltage_kV if optics else None,
        spherical_aberration_mm=optics.spherical_aberration_mm if optics else None,
        amplitude_contrast=optics.amplitude_contrast if optics else None,
        status="failed",
        reason=reason,
        optics_group=source.optics_group,
        listed=source.listed,
    )


def left_out_row(source: MicrographSource, reason: str) -> ManifestRow:
    """Return what the manifest says of a file that shows no micrograph, or one that another shows."""
    return replace(failed_row(source, reason), status="left out")
