"""``cryopick pick``: a store's micrographs to shards of candidates."""

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .console import ConsoleEvents, say


def pick(
    store: options.StoreUrl,
    out: Annotated[str, typer.Option("--out", metavar="PICKS", help="Folder of picks.")],
    diameter: options.Diameter = None,
    model: options.Model = None,
    particle_px: options.ParticlePx = None,
    invert: options.Invert = None,
    exact: options.Exact = None,
    engine: options.EngineName = None,
    workers: options.Workers = None,
    threads: options.Threads = None,
    device: options.Device = None,
    precision: options.PrecisionName = None,
    gpus_per_worker: options.GpusPerWorker = None,
    address: options.Address = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Pick all micrographs of a store that were not picked with these settings before."""
    del debug
    from cryopick_ray.config import fill
    from cryopick_ray.engine.choice import open_engine
    from cryopick_ray.errors import UsageError
    from cryopick_ray.picks.coverage import coverage
    from cryopick_ray.picks.shards import PickShards
    from cryopick_ray.settings import EngineSettings, PickSettings
    from cryopick_ray.stages.pick import pick as pick_store
    from cryopick_ray.store.manifest import read_manifest
    from cryopick_ray.store.store import MicrographStore

    if diameter is None:
        raise UsageError(
            "--diameter is missing: give the particle's longest dimension in angstroms; "
            "`cryopick diameter INPUT` estimates it, as `cryopick run` does"
        )
    settings = fill(
        PickSettings,
        diameter_A=diameter,
        model=options.absolute_model(model),
        particle_px=particle_px,
        invert=invert,
        exact=exact,
        precision=precision,
        threads=threads,
    )
    running = fill(
        EngineSettings,
        engine=engine,
        workers=workers,
        device=device,
        gpus_per_worker=gpus_per_worker,
        address=address,
    )
    picks = out if "://" in out else str(Path(out).absolute())
    with ConsoleEvents() as events, open_engine(running, threads=settings.threads) as runner:
        digest = pick_store(store, picks, settings, runner, events, device=running.device)
    manifest = read_manifest(MicrographStore(store).place)
    lines = [line for _, line in coverage(PickShards(picks, digest), manifest).values()]
    failures = [line for line in lines if line.status == "failed"]
    outcome = {
        "picks": picks,
        "digest": digest,
        "complete": len(lines) - len(failures),
        "failures": [{"micrograph_id": line.micrograph_id, "reason": line.reason} for line in failures],
        "candidates": sum(line.count for line in lines),
    }
    text = (
        f"{outcome['candidates']} candidates in {outcome['complete']} micrographs, {len(failures)} failed\n"
        f"picks {picks}/{digest}"
    )
    say(outcome, text, as_json=as_json)
    if failures:
        raise typer.Exit(options.DONE_WITH_FAILURES)
