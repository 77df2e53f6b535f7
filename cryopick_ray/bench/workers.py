"""What a micrograph costs in the workers that do a run, from its file to its candidates."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryopick_ray.bench.bench_settings import BenchSettings
from cryopick_ray.bench.machine import Machine
from cryopick_ray.engine.unit import ItemT, Worker
from cryopick_ray.errors import MicrographError
from cryopick_ray.micrographs.sources import MicrographSource
from cryopick_ray.stages.ingest_worker import IngestWorker
from cryopick_ray.stages.pick_worker import PickWorker
from cryopick_ray.store.manifest import ManifestRow, read_manifest
from cryopick_ray.store.scale import check_scale
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.units import working_pixel_size_A

DIGEST = "bench"


@dataclass(frozen=True)
class Cost:
    """What a unit of micrographs took, divided by their number; the peaks are those of the unit.

    Attributes
    ----------
    peak_memory_bytes, peak_device_memory_bytes
        Of the whole process, libraries included, and of the tensors on the GPU; ``None`` where there is
        no telling.
    """

    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int | None
    peak_device_memory_bytes: int | None


@dataclass(frozen=True)
class Whole:
    """A micrograph in a store, with what it cost to bring it there and to pick it.

    Attributes
    ----------
    store_url, picks_url
        Where they are.
    row
        The micrograph in the store.
    """

    store_url: str
    picks_url: str
    row: ManifestRow
    ingest: Cost
    pick: Cost


def measure_workers(
    source: MicrographSource,
    model: str,
    particle_px: float,
    folder: Path,
    settings: BenchSettings,
    machine: Machine,
) -> Whole:
    """Ingest and pick a micrograph as often as the settings say, in one unit each.

    Parameters
    ----------
    model, particle_px
        Who picks, and the size that it needs a particle to have.
    folder
        An empty one, for the store and the picks.

    Raises
    ------
    MicrographError
        If the micrograph cannot be read or picked.
    PixelSizeError
        If it has no believable pixel size, or its pixels are too coarse for the model.
    """
    store_url, picks_url = str(folder / "store"), str(folder / "picks")
    store = MicrographStore(store_url, create=True)
    needed_A = working_pixel_size_A(settings.diameter_A, particle_px)
    sources = [
        replace(source, micrograph_id=f"{copy}/{source.micrograph_id}")
        for copy in range(settings.repeats + 1)
    ]
    ingest = _cost(IngestWorker(store_url, settings.ingest(needed_A)), sources, machine)
    rows = list(read_manifest(store.place).values())
    check_scale(rows, needed_A)
    picking = PickWorker(store_url, picks_url, DIGEST, settings.pick(model), machine.device.type)
    return Whole(store_url, picks_url, rows[0], ingest, _cost(picking, rows, machine))


def _cost(worker: Worker[ItemT], items: Sequence[ItemT], machine: Machine) -> Cost:
    """Return what an item costs; the first is not counted, as what is done once is done then."""
    first, *items = items
    machine.forget_peaks()
    _process(worker, [first])
    start, cpu_start = time.perf_counter(), time.process_time()
    _process(worker, items)
    machine.wait()
    return Cost(
        (time.perf_counter() - start) / len(items),
        (time.process_time() - cpu_start) / len(items),
        machine.peak_memory_bytes(),
        machine.peak_device_memory_bytes(),
    )


def _process(worker: Worker[ItemT], items: Sequence[ItemT]) -> None:
    for name, reason in worker.process(items).failures:
        raise MicrographError(f"{name.partition('/')[2]}: {reason}")
