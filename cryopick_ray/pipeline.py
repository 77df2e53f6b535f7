"""The whole way: ingest, pick, table; each stage also stands alone."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cryopick_ray.config import IngestSettings, PickSettings, RunSettings
from cryopick_ray.engine.choice import open_engine
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.ingest_worker import IngestWorker, pixel_size_of
from cryopick_ray.engine.ledger import check_same_micrographs, covered_ids
from cryopick_ray.engine.plan import cut, pending, unit_size
from cryopick_ray.engine.unit import Engine
from cryopick_ray.errors import MicrographError, PicksError, UsageError
from cryopick_ray.micrographs.reader import read_micrograph
from cryopick_ray.micrographs.sources import MicrographSource, list_sources
from cryopick_ray.pickers.picker import Picker
from cryopick_ray.picks.shards import PickShards, settings_digest
from cryopick_ray.picks.tables import TableSettings, build_table
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.run_folder import RunFolder
from cryopick_ray.store.manifest import ManifestRow, read_manifest
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.units import working_pixel_size_A

PROBED = 3
"""Micrographs read ahead of a run to find a missing pixel size before any work is done."""


@dataclass
class Timings:
    """Wall-clock seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block as ``name``."""
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


def ingest(
    sources: Sequence[MicrographSource],
    store_url: str,
    settings: IngestSettings,
    engine: Engine,
    events: Events,
) -> None:
    """Bring those micrographs into the store that it does not hold yet; failed ones are tried again."""
    store = MicrographStore(store_url, create=True)
    manifest = read_manifest(store.place)
    check_append(sources, manifest, settings)
    complete = {name for name, row in manifest.items() if store.holds(row)}
    units = cut(pending(sources, complete), unit_size(len(sources)))
    events.stage("ingest", sum(len(unit.items) for unit in units))
    for report in engine.run(units, partial(IngestWorker, store_url, settings), on_gpu=False):
        events.report(report)


def check_append(
    sources: Sequence[MicrographSource], manifest: Mapping[str, ManifestRow], settings: IngestSettings
) -> None:
    """Refuse micrographs that a store holds under another name or another pixel size.

    Raises
    ------
    UsageError
        If a name stands for another file, a file for another name, or ``--pixel-size`` has changed.
    """
    names = {row.source: name for name, row in manifest.items()}
    for source in sources:
        known = manifest.get(source.micrograph_id)
        if known is not None and known.source != str(source.path):
            raise UsageError(
                f"the store holds another {source.micrograph_id} ({known.source}, not {source.path}); "
                "use another --store, or give both folders in one run"
            )
        name = names.get(str(source.path), source.micrograph_id)
        if name != source.micrograph_id:
            raise UsageError(
                f"the store holds {source.path} as {name}, not as {source.micrograph_id}: names are relative "
                "to INPUT's root, which has changed; give the same INPUT as before, or use another --store"
            )
        given_A = settings.pixel_size_A
        if known is not None and known.status == "complete" and given_A not in (None, known.pixel_size_A):
            raise UsageError(
                f"the store holds {source.micrograph_id} at {known.pixel_size_A:g} A a pixel, and "
                f"--pixel-size is {given_A:g}; use another --store"
            )


def pick(
    store_url: str,
    picks_url: str,
    settings: PickSettings,
    engine: Engine,
    events: Events,
    *,
    device: str,
) -> str:
    """Pick all complete micrographs of the store that are not in a valid shard; return the digest."""
    from cryopick_ray.engine.pick_worker import PickWorker, check_scale
    from cryopick_ray.pickers.catalogue import load_picker

    picker = load_picker(settings.model, particle_px=settings.particle_px, device="cpu")
    manifest = read_manifest(MicrographStore(store_url).place)
    rows = [row for row in manifest.values() if row.status == "complete"]
    check_scale(rows, working_pixel_size_A(settings.diameter_A, picker.particle_px))
    described = _described(settings, picker)
    digest = settings_digest(described)
    shards = PickShards(picks_url, digest, create=True)
    shards.describe(described)
    done, complaints = covered_ids(shards)
    for complaint in complaints:
        events.note(complaint)
    check_same_micrographs(shards, manifest)
    units = cut(pending(rows, done), unit_size(len(rows)))
    events.stage("pick", sum(len(unit.items) for unit in units))
    make_worker = partial(PickWorker, store_url, picks_url, digest, settings, device)
    for report in engine.run(units, make_worker, on_gpu=picker.wants_gpu and device != "cpu"):
        events.report(report)
    return digest


def table(
    store_url: str, picks_url: str, digest: str, out: Path, threshold: float | None
) -> dict[str, Threshold]:
    """Gather the shards of one digest into the table at ``out``; return the thresholds used."""
    shards = PickShards(picks_url, digest)
    described = shards.settings()
    return build_table(
        shards,
        read_manifest(MicrographStore(store_url).place),
        out,
        settings=TableSettings(described["diameter_A"], described["model"], digest),
        threshold=threshold,
    )


@dataclass(frozen=True)
class Plan:
    """A run that was found possible: its settings, micrographs and the pixel size its model needs."""

    settings: RunSettings
    sources: Sequence[MicrographSource]
    pixel_size_A: float


def plan(settings: RunSettings) -> Plan:
    """Check everything that can be checked before a run leaves a trace.

    Raises
    ------
    UsageError, ModelError
        If the model, the micrographs or their pixel size cannot be used.
    """
    from cryopick_ray.pickers.catalogue import load_picker

    picker = load_picker(settings.model, particle_px=settings.particle_px, device="cpu")
    sources = list_sources(settings.inputs, relion_project=settings.relion_project, limit=settings.limit)
    pixel_size_A = working_pixel_size_A(settings.diameter_A, picker.particle_px)
    probe(sources, settings.ingest(pixel_size_A))
    return Plan(settings, sources, pixel_size_A)


def run(plan: Plan, folder: RunFolder, events: Events, timings: Timings) -> tuple[str, dict[str, Threshold]]:
    """Ingest, pick and gather the table in a claimed run folder; return digest and thresholds."""
    settings = plan.settings
    threshold = None if settings.threshold == "auto" else settings.threshold
    start = time.perf_counter()
    with open_engine(settings.engine, threads=settings.threads) as engine:
        timings.seconds["start-up"] = time.perf_counter() - start
        with timings.stage("ingest"):
            ingest(plan.sources, folder.store, settings.ingest(plan.pixel_size_A), engine, events)
        with timings.stage("pick"):
            device = settings.engine.device
            digest = pick(folder.store, folder.picks, settings.pick, engine, events, device=device)
    with timings.stage("table"):
        thresholds = table(folder.store, folder.picks, digest, folder.table, threshold)
    return digest, thresholds


def only_digest(picks_url: str, found: Sequence[str], wanted: str | None) -> str:
    """Return the digest to read: the one asked for, or the only one there is."""
    if wanted is not None and wanted in found:
        return wanted
    if wanted is None and len(found) == 1:
        return found[0]
    raise PicksError(
        f"{picks_url} holds picks of {', '.join(found) or 'no settings at all'}; choose with --digest"
    )


def _described(settings: PickSettings, picker: Picker) -> dict[str, Any]:
    """Return what the digest is made of: all that decides the picks, the threshold not among it."""
    return {
        "model": picker.name,
        "picker": picker.settings(),
        "diameter_A": settings.diameter_A,
        "invert": settings.invert,
        "threads": settings.threads,
    }


def probe(sources: Sequence[MicrographSource], settings: IngestSettings) -> None:
    """Raise :class:`~cryopick_ray.errors.PixelSizeError` now if the first readable micrograph would."""
    for source in sources[:PROBED]:
        try:
            micrograph = read_micrograph(source.path)
        except MicrographError:
            continue
        pixel_size_of(source, micrograph, settings)
        return
