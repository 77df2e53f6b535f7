"""``cryopick pick``: a store's micrographs to shards of candidates."""

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .bridge import ENGINE, Given, Offer, takes
from .console import ConsoleEvents, say


@takes(settings=Offer("cryopick_ray.settings.run_settings:PickSettings"), engine=Offer(ENGINE))
def pick(
    settings: Given,
    engine: Given,
    store: options.StoreUrl,
    out: Annotated[str, typer.Option("--out", metavar="PICKS", help="Folder of picks.")],
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Pick all micrographs of a store that were not picked with these settings before."""
    del debug
    from cryopick_ray.engine.open_engine import open_engine
    from cryopick_ray.errors import UsageError
    from cryopick_ray.picks.coverage import coverage
    from cryopick_ray.picks.shards import PickShards
    from cryopick_ray.settings.config import absolute_model, fill
    from cryopick_ray.settings.engine_settings import EngineSettings
    from cryopick_ray.settings.run_settings import PickSettings
    from cryopick_ray.stages.pick import pick as pick_store
    from cryopick_ray.store.manifest import read_manifest
    from cryopick_ray.store.store import MicrographStore

    if "diameter_A" not in settings:
        raise UsageError(
            "`diameter_A` is missing: give the particle's longest dimension in angstroms; "
            "`cryopick diameter INPUT` estimates it, as `cryopick run` does"
        )
    wanted, running = fill(PickSettings, **settings), fill(EngineSettings, **engine)
    wanted = wanted.model_copy(update={"model": absolute_model(wanted.model)})
    picks = out if "://" in out else str(Path(out).absolute())
    with ConsoleEvents() as events, open_engine(running, threads=wanted.threads) as runner:
        digest = pick_store(store, picks, wanted, runner, events, device=running.device)
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
