"""The whole way: ingest, pick, table; each stage also stands alone."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cryopick_ray.engine.choice import open_engine
from cryopick_ray.engine.events import Events
from cryopick_ray.engine.plan import cut, pending, unit_size
from cryopick_ray.engine.stage import run_stage
from cryopick_ray.engine.unit import Engine
from cryopick_ray.errors import PicksError, UsageError
from cryopick_ray.micrographs.sources import MicrographSource, list_sources
from cryopick_ray.pickers.picker import Picker
from cryopick_ray.picks.diameter import EstimatedDiameter
from cryopick_ray.picks.shards import PickShards, digests, settings_digest
from cryopick_ray.picks.thresholds import Threshold
from cryopick_ray.runs.empiar_run import ArchiveEntry, is_archive
from cryopick_ray.runs.folder import RunFolder
from cryopick_ray.settings import EngineSettings, PickSettings, RunSettings
from cryopick_ray.stages.diameter import find_diameter, keep_diameter
from cryopick_ray.stages.ingest import ingest, probe
from cryopick_ray.stages.ledger import covered_ids
from cryopick_ray.store.manifest import ManifestRow, read_manifest
from cryopick_ray.store.place import Place
from cryopick_ray.store.store import MicrographStore
from cryopick_ray.units import working_pixel_size_A

OWN_THRESHOLD = "threshold"
"""Where the settings of picks keep the model's threshold: not part of their digest, as it decides no pick."""


def silent(text: str) -> None:
    """Say nothing."""


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


def pick(
    store_url: str,
    picks_url: str,
    settings: PickSettings,
    engine: Engine,
    events: Events,
    *,
    device: str,
    repair: Callable[[Sequence[ManifestRow]], None] | None = None,
) -> str:
    """Pick all complete micrographs of the store that are not in a valid shard; return the digest.

    Parameters
    ----------
    repair
        Brings micrographs whose stored pixels are damaged into the store anew. Those that stay damaged fail.
    """
    from cryopick_ray.stages.pick_worker import PickWorker, check_scale

    Place(picks_url, create=True)
    settings = settled(settings, picks_url, on_gpu=device != "cpu" and engine.has_gpus)
    picker = _described_picker(settings)
    if picker.wants_gpu:
        events.note(f"networks answer in {picker.settings()['precision']}")
    manifest = read_manifest(MicrographStore(store_url).place)
    rows = [row for row in manifest.values() if row.status == "complete"]
    check_scale(rows, working_pixel_size_A(settings.diameter_A, picker.particle_px))
    described = _described(settings, picker)
    digest = settings_digest(described)
    shards = PickShards(picks_url, digest, create=True)
    shards.describe({**described, OWN_THRESHOLD: picker.threshold})
    done, complaints = covered_ids(shards, manifest)
    for complaint in complaints:
        events.note(complaint)
    make_worker = partial(PickWorker, store_url, picks_url, digest, settings, device)
    on_gpu = picker.wants_gpu and device != "cpu"
    units = cut(pending(rows, done), unit_size(len(rows)))
    first = partial(make_worker, spares_damaged=True)
    if damaged := set(run_stage("pick", units, first, engine, events, on_gpu=on_gpu).damaged):
        if repair is not None:
            events.note(f"{len(damaged)} micrographs are damaged in the store and ingested again")
            repair([manifest[name] for name in damaged])
            manifest = read_manifest(MicrographStore(store_url).place)
        units = cut([row for name, row in manifest.items() if name in damaged], unit_size(len(damaged)))
        run_stage("pick", units, partial(make_worker, spares_damaged=False), engine, events, on_gpu=on_gpu)
    return digest


def table(
    store_url: str, picks_url: str, digest: str, out: Path, threshold: float | None
) -> dict[str, Threshold]:
    """Gather the shards of one digest into the table at ``out``; return the thresholds used."""
    from cryopick_ray.picks.tables import TableSettings, build_table

    shards = PickShards(picks_url, digest)
    described = shards.settings()
    own = described.get(OWN_THRESHOLD)
    cut = Threshold(threshold, "given") if threshold is not None else None
    return build_table(
        shards,
        read_manifest(MicrographStore(store_url).place),
        out,
        settings=TableSettings(described["diameter_A"], described["model"], digest),
        threshold=cut or (Threshold(own, "the model's own") if own is not None else None),
    )


@dataclass(frozen=True)
class Plan:
    """A run that was found possible.

    Attributes
    ----------
    settings, engine
        Of the run, its diameter among them, and where it is run.
    sources
        The micrographs.
    pixel_size_A
        What the model needs.
    diameter
        How the diameter was found; ``None`` if it was given.
    """

    settings: RunSettings
    engine: EngineSettings
    sources: Sequence[MicrographSource]
    pixel_size_A: float
    diameter: EstimatedDiameter | None = None
    archive: ArchiveEntry | None = None


def plan(
    settings: RunSettings,
    engine: EngineSettings,
    download: Path | None = None,
    say: Callable[[str], None] = silent,
) -> Plan:
    """Check everything that can be checked before a run leaves a trace, and find a diameter not given.

    Parameters
    ----------
    download
        Where files of an EMPIAR entry go; the first few are fetched.
    say
        Told what was decided of such an entry.

    Raises
    ------
    UsageError, ModelError
        If the model, the micrographs or their pixel size cannot be used, or no diameter can be found.
    """
    picker = _described_picker(settings)
    if engine.engine == "serial" and picker.wants_gpu:
        from cryopick_ray.pickers.device.choice import usable_device

        usable_device(engine.device)
    archive = None
    if is_archive(settings.inputs):
        if download is None:
            raise UsageError(
                f"`inputs` {settings.inputs[0]!r} needs a folder of this machine for its files (`out`)"
            )
        archive = ArchiveEntry(settings, download, say)
        sources = archive.sources(settings.relion_project)
        sample = archive.sample(sources)
        settings = archive.as_declared(settings, sample)
    else:
        sources = list_sources(settings.inputs, **settings.which, say=say)
        sample = sources
    found = None
    if settings.diameter_A is None:
        found = find_diameter(
            sample, settings.ingest(None), invert=settings.invert, device=_own_device(engine)
        )
        settings = settings.model_copy(update={"diameter_A": found.diameter_A})
    pixel_size_A = working_pixel_size_A(settings.pick.diameter_A, picker.particle_px)
    probe(sample, settings.ingest(pixel_size_A))
    return Plan(settings, engine, sources, pixel_size_A, found, archive)


def run(plan: Plan, folder: RunFolder, events: Events, timings: Timings) -> tuple[str, dict[str, Threshold]]:
    """Ingest, pick and gather the table in a claimed run folder; return digest and thresholds."""
    start = time.perf_counter()
    with open_engine(plan.engine, threads=plan.settings.threads) as engine:
        timings.seconds["start-up"] = time.perf_counter() - start
        return run_on(engine, plan, folder, events, timings)


def run_on(
    engine: Engine, plan: Plan, folder: RunFolder, events: Events, timings: Timings
) -> tuple[str, dict[str, Threshold]]:
    """Do what :func:`run` does on an engine that is open already."""
    settings = plan.settings
    threshold = None if settings.threshold == "auto" else settings.threshold
    if plan.diameter is not None:
        events.note(f"diameter {plan.diameter.text()} (`diameter_A` overrides)")
        keep_diameter(folder.diameter, plan.diameter)
    device = plan.engine.device
    fill = partial(
        ingest if plan.archive is None else plan.archive.ingest,
        store_url=folder.store,
        settings=settings.ingest(plan.pixel_size_A),
        engine=engine,
        events=events,
        averages=folder.averages(settings.relion_project),
        device=device,
    )

    def reingest(rows: Sequence[ManifestRow]) -> None:
        for row in rows:
            MicrographStore(folder.store).forget(row)
        if plan.archive is not None:
            plan.archive.fetch_again([row.micrograph_id for row in rows])
        fill(plan.sources)

    with timings.stage("ingest"):
        fill(plan.sources)
    with timings.stage("pick"):
        digest = pick(
            folder.store, folder.picks, settings.pick, engine, events, device=device, repair=reingest
        )
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
        f"{picks_url} holds picks of {', '.join(found) or 'no settings at all'}; choose with `digest`"
    )


def settled(settings: PickSettings, picks_url: str, *, on_gpu: bool) -> PickSettings:
    """Return the settings with the precision that all workers are to use.

    ``auto`` is that of the picks that are there already, else what is fastest on a GPU, or on a CPU like
    this machine's: a run that goes on elsewhere does not begin anew.
    """
    if settings.exact or settings.precision != "auto":
        return settings
    from cryopick_ray.pickers.scoring import fast_precision

    fastest = fast_precision(on_gpu=on_gpu)
    choices = [settings.model_copy(update={"precision": name}) for name in ("bfloat16", "float32")]
    there = digests(picks_url)
    known = [one for one in choices if there and _digest(one) in there]
    return known[0] if len(known) == 1 else settings.model_copy(update={"precision": fastest})


def _own_device(settings: EngineSettings) -> str:
    """Return where this process asks a network: Ray's GPUs may all be on other machines."""
    return "auto" if settings.engine == "ray" and settings.device == "cuda" else settings.device


def _described_picker(settings: PickSettings | RunSettings) -> Picker:
    """Return the picker as it is described; workers load their own, on their device."""
    from cryopick_ray.pickers.catalogue import load_picker

    return load_picker(
        settings.model,
        particle_px=settings.particle_px,
        device="cpu",
        exact=settings.exact,
        precision=settings.precision,
    )


def _digest(settings: PickSettings) -> str:
    return settings_digest(_described(settings, _described_picker(settings)))


def _described(settings: PickSettings, picker: Picker) -> dict[str, Any]:
    """Return what the digest is made of: all that decides the picks, the threshold not among it."""
    return {
        "model": picker.name,
        "picker": picker.settings(),
        "diameter_A": settings.diameter_A,
        "invert": settings.invert,
        "threads": settings.threads,
    }
