"""``cryopick ingest``: micrographs into a store."""

from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .bridge import RUN, Given, Offer, takes
from .console import ConsoleEvents, say
from .spelling import tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryopick_ray.micrographs.sources import MicrographSource


@takes(
    chosen=Offer(RUN, ("inputs", "pattern", "exclude", "limit", "relion_project")),
    settings=Offer("cryopick_ray.settings.run_settings:IngestSettings", assign=True),
    engine=options.WORK,
)
def ingest(
    chosen: Given,
    settings: Given,
    engine: Given,
    store: options.StoreUrl,
    averages: Annotated[
        str | None,
        typer.Option(
            "--averages",
            metavar="DIR",
            rich_help_panel=options.MOVIES,
            help="Where averages of movies are kept; default: micrographs, beside the store.",
        ),
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Bring micrographs, or averages of movies, into a store; those it already holds are left alone."""
    del debug
    from cryopick_ray.engine.open_engine import open_engine
    from cryopick_ray.micrographs.sources import list_sources
    from cryopick_ray.settings.config import fill
    from cryopick_ray.settings.engine_settings import EngineSettings
    from cryopick_ray.settings.run_settings import IngestSettings, RunSettings
    from cryopick_ray.stages.averages import beside
    from cryopick_ray.stages.flow import ingest as ingest_sources
    from cryopick_ray.stages.ingest import probe
    from cryopick_ray.store.manifest import complete_ids

    wanted, running = fill(IngestSettings, **settings), fill(EngineSettings, **engine)
    those = fill(RunSettings, **chosen)
    out: list[tuple[MicrographSource, str]] = []
    held = complete_ids(store)
    sources = list_sources(those.inputs, **those.which, taken=held, say=tell, leave_out=out.extend)
    probe(sources, wanted)
    kept = beside(store, averages, those.project)
    with ConsoleEvents() as events, open_engine(running, threads=wanted.threads) as runner:
        ingest_sources(
            sources, store, wanted, runner, events, left_out=out, averages=kept, device=running.device
        )
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
