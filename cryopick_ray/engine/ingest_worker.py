"""Files to store: what one ingest worker does with a unit."""

import time
from collections.abc import Sequence
from dataclasses import replace

from cryopick_ray.config import IngestSettings
from cryopick_ray.engine.unit import UnitReport
from cryopick_ray.errors import StoreError
from cryopick_ray.micrographs.micrograph import Micrograph
from cryopick_ray.micrographs.pixel_size import decide_pixel_size
from cryopick_ray.micrographs.preprocess import prepare
from cryopick_ray.micrographs.reader import read_micrograph, source_checksum
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.store.manifest import ManifestRow, publish_part
from cryopick_ray.store.store import MicrographStore, StoredPixels
from cryopick_ray.units import Shape, resampled_shape


class IngestWorker:
    """Reads, resamples and normalises micrographs, and publishes them in a store's manifest."""

    def __init__(self, store_url: str, settings: IngestSettings) -> None:
        self._store = MicrographStore(store_url)
        self._settings = settings

    def process(self, items: Sequence[MicrographSource]) -> UnitReport:
        """Ingest the micrographs and publish their manifest rows."""
        start = time.perf_counter()
        return self._publish([self._attempt(source) for source in items], start)

    def unpublished(self, items: Sequence[MicrographSource]) -> list[int]:
        """Return all: a manifest row that is published twice counts once."""
        return list(range(len(items)))

    def give_up(self, items: Sequence[MicrographSource], reason: str) -> UnitReport:
        """Publish that the micrographs failed, without touching them."""
        return self._publish([_failed(source, reason) for source in items], time.perf_counter())

    def _attempt(self, source: MicrographSource) -> ManifestRow:
        try:
            return self._ingest(source)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever one file does, the run goes on
            return _failed(source, str(error) or repr(error))

    def _ingest(self, source: MicrographSource) -> ManifestRow:
        settings = self._settings
        micrograph = read_micrograph(source.path)
        height, width = micrograph.pixels.shape
        pixel_size_A = pixel_size_of(source, micrograph, settings)
        shape = stored_shape((height, width), pixel_size_A, settings.store_pixel_size_A)
        image = prepare(micrograph.pixels, shape)
        stored = StoredPixels(image.pixels, image.offset, image.scale)
        return replace(
            _failed(source, ""),
            checksum=source_checksum(source.path),
            source_height_px=height,
            source_width_px=width,
            pixel_size_A=pixel_size_A,
            height_px=shape[0],
            width_px=shape[1],
            shard_bytes=self._store.write(source.micrograph_id, stored),
            status="complete",
        )

    def _publish(self, rows: list[ManifestRow], start: float) -> UnitReport:
        publish_part(self._store.place, rows)
        failures = tuple((row.micrograph_id, row.reason) for row in rows if row.status == "failed")
        return UnitReport(
            complete=len(rows) - len(failures),
            failures=failures,
            seconds={"ingest": time.perf_counter() - start},
        )


def pixel_size_of(source: MicrographSource, micrograph: Micrograph, settings: IngestSettings) -> float:
    """Return a micrograph's pixel size in angstroms: as given, else from its STAR list, else its header."""
    return decide_pixel_size(
        header_A=micrograph.pixel_size_A,
        given_A=settings.pixel_size_A or source.pixel_size_A,
        shape=(micrograph.pixels.shape[0], micrograph.pixels.shape[1]),
        diameter_A=settings.diameter_A,
    )


def stored_shape(shape: Shape, pixel_size_A: float, store_pixel_size_A: float | None) -> Shape:
    """Return the shape a micrograph is stored in; it is never enlarged.

    Parameters
    ----------
    shape, pixel_size_A
        The source micrograph.
    store_pixel_size_A
        The store's pixel size; ``None`` for the micrograph's own.
    """
    if store_pixel_size_A is None or store_pixel_size_A <= pixel_size_A:
        return shape
    return resampled_shape(shape, pixel_size_A, store_pixel_size_A)


def _failed(source: MicrographSource, reason: str) -> ManifestRow:
    optics = source.optics
    return ManifestRow(
        micrograph_id=source.micrograph_id,
        dataset=source.dataset,
        relion_name=source.relion_name,
        source=str(source.path),
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
    )
