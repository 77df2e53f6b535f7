"""``cryopick ingest``: micrographs into a store."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .console import ConsoleEvents, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryopick_ray.micrographs.sources import MicrographSource


def ingest(
    inputs: options.Inputs,
    store: options.StoreUrl,
    diameter: options.Diameter = None,
    pixel_size: options.PixelSize = None,
    store_pixel_size: options.StorePixelSize = None,
    limit: options.Limit = None,
    relion_project: options.RelionProject = None,
    averages: Annotated[
        str | None,
        typer.Option(
            "--averages",
            metavar="DIR",
            rich_help_panel=options.MOVIES,
            help="Where averages of movies are kept; default: micrographs, beside the store.",
        ),
    ] = None,
    gain: options.Gain = None,
    gain_rot: options.GainRot = None,
    gain_flip: options.GainFlip = None,
    dose: options.Dose = None,
    binning: options.Binning = None,
    movie_set: options.MovieSet = None,
    engine: options.EngineName = None,
    workers: options.Workers = None,
    threads: options.Threads = None,
    device: options.Device = None,
    address: options.Address = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Bring micrographs, or averages of movies, into a store; those it already holds are left alone."""
    del debug
    from cryopick_ray.config import fill
    from cryopick_ray.engine.choice import open_engine
    from cryopick_ray.micrographs.sources import list_sources
    from cryopick_ray.settings import EngineSettings, IngestSettings
    from cryopick_ray.stages.averages import beside
    from cryopick_ray.stages.ingest import ingest as ingest_sources
    from cryopick_ray.stages.ingest import probe

    settings = fill(
        IngestSettings,
        diameter_A=diameter,
        pixel_size_A=pixel_size,
        store_pixel_size_A=store_pixel_size,
        threads=threads,
        movies=options.movie_settings(
            {},
            gain=gain,
            gain_rot=gain_rot,
            gain_flip=gain_flip,
            dose=dose,
            binning=binning,
            others=movie_set,
        ),
    )
    running = fill(EngineSettings, engine=engine, workers=workers, device=device, address=address)
    project = relion_project or Path()
    sources = list_sources(inputs or [], relion_project=project, limit=limit)
    probe(sources, settings)
    kept = beside(store, averages, project)
    with ConsoleEvents() as events, open_engine(running, threads=settings.threads) as runner:
        ingest_sources(sources, store, settings, runner, events, averages=kept, device=running.device)
    finish(sources, store, as_json=as_json)


def finish(sources: "Sequence[MicrographSource]", store: str, *, as_json: bool) -> None:
    """Say what became of micrographs, and end as their failures ask for."""
    from cryopick_ray.store.manifest import read_manifest
    from cryopick_ray.store.store import MicrographStore

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
