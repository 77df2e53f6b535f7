"""``cryopick ingest``: micrographs into a store."""

from pathlib import Path

import typer

from . import options
from .console import ConsoleEvents, say


def ingest(
    inputs: options.Inputs,
    store: options.StoreUrl,
    diameter: options.Diameter = None,
    pixel_size: options.PixelSize = None,
    store_pixel_size: options.StorePixelSize = None,
    limit: options.Limit = None,
    relion_project: options.RelionProject = None,
    engine: options.EngineName = None,
    workers: options.Workers = None,
    threads: options.Threads = None,
    address: options.Address = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Read, crop and normalise micrographs into a store; those it already holds are left alone."""
    del debug
    from cryopick_ray.config import EngineSettings, IngestSettings, fill
    from cryopick_ray.engine.choice import open_engine
    from cryopick_ray.engine.ingest import ingest as ingest_sources
    from cryopick_ray.engine.ingest import probe
    from cryopick_ray.micrographs.sources import list_sources
    from cryopick_ray.store.manifest import read_manifest
    from cryopick_ray.store.store import MicrographStore

    settings = fill(
        IngestSettings,
        diameter_A=diameter,
        pixel_size_A=pixel_size,
        store_pixel_size_A=store_pixel_size,
        threads=threads,
    )
    running = fill(EngineSettings, engine=engine, workers=workers, address=address)
    sources = list_sources(inputs or [], relion_project=relion_project or Path(), limit=limit)
    probe(sources, settings)
    with ConsoleEvents() as events, open_engine(running, threads=settings.threads) as runner:
        ingest_sources(sources, store, settings, runner, events)
    rows = read_manifest(MicrographStore(store).place)
    asked = [rows[source.micrograph_id] for source in sources]
    failures = [row for row in asked if row.status == "failed"]
    outcome = {
        "store": store,
        "complete": len(asked) - len(failures),
        "failures": [{"micrograph_id": row.micrograph_id, "reason": row.reason} for row in failures],
    }
    text = f"{outcome['complete']} micrographs in {store}, {len(failures)} failed"
    say(outcome, text, as_json=as_json)
    if failures:
        raise typer.Exit(options.DONE_WITH_FAILURES)
