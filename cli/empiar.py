"""``cryopick empiar``: entries of the archive searched, shown, listed and fetched."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .bridge import RUN, Given, Offer, SettingsCommand, takes
from .console import say
from .group import Group
from .spelling import tell

if TYPE_CHECKING:
    from cryopick_ray.empiar.download import Wanted
    from cryopick_ray.empiar.download_manifest import Manifest
    from cryopick_ray.settings.run_settings import RunSettings

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help="Search, show, list and fetch entries of EMPIAR, or of a mirror (CRYOPICK_EMPIAR_FILES).",
)
FAILURES_SHOWN = 20

EntryId = Annotated[
    str, typer.Argument(metavar="ID", help="EMPIAR entry, such as 10017.", show_default=False)
]
FETCHING = "cryopick_ray.settings.run_settings:ArchiveSettings"
WHICH = Offer(RUN, ("pattern", "exclude", "limit"))


@app.command()
def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="Words, such as 'apoferritin'.")],
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Show the first N.")] = 20,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Search entries by words in their titles and descriptions."""
    del debug
    from cryopick_ray.empiar.source import EmpiarSource

    hits, found = EmpiarSource().search(query, limit=limit)
    lines = [f"EMPIAR-{one.entry_id}  {one.title}" for one in found]
    outcome = {"hits": hits, "entries": [{"id": one.entry_id, "title": one.title} for one in found]}
    say(outcome, "\n".join([*lines, f"{len(found)} of {hits} entries"]), as_json=as_json)


@app.command()
def show(entry_id: EntryId, as_json: options.Json = False, debug: options.Debug = False) -> None:
    """Show what an entry is and which image sets it has."""
    del debug
    from dataclasses import asdict

    from cryopick_ray.empiar.checks import orientation_note
    from cryopick_ray.empiar.entry import entry_number
    from cryopick_ray.empiar.source import EmpiarSource

    entry = EmpiarSource().entry(entry_number(entry_id))
    facts = {
        "title": entry.title,
        "size": entry.dataset_size,
        "released": entry.release_date,
        "doi": entry.doi,
        "experiment": entry.experiment_type,
        "references": " ".join(entry.cross_references),
    }
    lines = [f"EMPIAR-{entry.entry_id}", *(f"  {name:11} {text}" for name, text in facts.items() if text)]
    for number, image_set in enumerate(entry.image_sets, 1):
        shape = (
            f"{image_set.width_px} x {image_set.height_px}"
            if image_set.width_px and image_set.height_px
            else ""
        )
        parts = (
            f"{image_set.count} images" if image_set.count else "",
            f"{image_set.frames} frames" if image_set.frames and image_set.frames > 1 else "",
            f"{shape} px" if shape else "",
            f"{image_set.pixel_size_A:g} A/px" if image_set.pixel_size_A else "",
            image_set.data_format,
            image_set.voxel_type.lower(),
        )
        lines += [
            f"{number}  {image_set.name}",
            f"   {image_set.category}",
            f"   {', '.join(filter(None, parts))}",
        ]
        lines.append(f"   in {image_set.directory}")
        if note := orientation_note(image_set.details):
            lines.append(f"   {note}")
    say(asdict(entry), "\n".join(lines), as_json=as_json)


@app.command("list", cls=SettingsCommand)
@takes(which=WHICH, fetching=Offer(FETCHING, ("image_set",)))
def list_files(
    which: Given,
    fetching: Given,
    entry_id: EntryId,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """List the files of an image set: what `fetch` would fetch, with sizes."""
    del debug
    from cryopick_ray.empiar.download import choose
    from cryopick_ray.empiar.download_manifest import Manifest
    from cryopick_ray.empiar.entry import entry_number
    from cryopick_ray.empiar.source import EmpiarSource

    those = _those(entry_id, which, fetching)
    source, number = EmpiarSource(), entry_number(entry_id)
    wanted = _wanted(those)
    with tempfile.TemporaryDirectory() as folder, Manifest(Path(folder), number) as manifest:
        chosen = choose(source, number, manifest, wanted, tell)
        rows, lines, total = list[dict[str, Any]](), list[str](), 0
        for row in manifest.chosen():
            size = chosen.files.size(row.path) if row.expected_bytes is None else row.expected_bytes
            total += size or 0
            lines.append(f"{_size(size):>9}  {row.role:10}  {row.path}")
            rows.append({"path": row.path, "role": row.role, "bytes": size})
        refused = [
            {"path": one.path, "reason": one.reason}
            for one in manifest.of_role(chosen.folder, "refused", 1000)
        ]
    lines += [f"{'refused':>9}  {one['path']}: {one['reason']}" for one in refused]
    outcome = {"entry": number, "files": rows, "bytes": total, "refused": refused}
    say(outcome, "\n".join([*lines, f"{len(rows)} files, {_size(total)}"]), as_json=as_json)


@app.command(cls=SettingsCommand)
@takes(which=WHICH, fetching=Offer(FETCHING, ("image_set", "connections", "bandwidth_MB_s")))
def fetch(
    which: Given,
    fetching: Given,
    entry_id: EntryId,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where the files go.", show_default=False)
    ],
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Fetch files of an entry into DIR; run again, it goes on where it ended."""
    del debug
    from cryopick_ray.empiar.download import choose
    from cryopick_ray.empiar.download import fetch as fetch_chosen
    from cryopick_ray.empiar.download_manifest import Manifest
    from cryopick_ray.empiar.entry import entry_number
    from cryopick_ray.empiar.source import EmpiarSource

    from .transfers import TransferEvents

    number = entry_number(entry_id)
    those = _those(entry_id, which, fetching)
    megabytes = those.archive.bandwidth_MB_s
    source = EmpiarSource(connections=those.archive.connections, bytes_per_s=megabytes and megabytes * 1e6)
    wanted = _wanted(those)
    out.mkdir(parents=True, exist_ok=True)
    with Manifest(out, number) as manifest:
        chosen = choose(source, number, manifest, wanted, tell)
        try:
            with TransferEvents(manifest.summary()) as events:
                fetch_chosen(source, chosen, manifest, events)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("the same command goes on where it ended") from None
        outcome = _outcome(manifest, number, out)
        outcome["refused"] = [
            {"path": one.path, "reason": one.reason}
            for one in manifest.of_role(chosen.folder, "refused", 1000)
        ]
    failures = len(outcome["failures"]) + len(outcome["refused"])
    text = f"{outcome['fetched']} files ({_size(outcome['bytes'])}) in {out}, {failures} failed"
    lines = [f"refused: {one['path']}: {one['reason']}" for one in outcome["refused"]]
    say(outcome, "\n".join([*lines[:FAILURES_SHOWN], text]), as_json=as_json)
    if failures:
        raise typer.Exit(options.DONE_WITH_FAILURES)


@app.command(cls=SettingsCommand)
@takes(
    which=WHICH,
    fetching=Offer(FETCHING),
    settings=Offer(
        "cryopick_ray.settings.run_settings:IngestSettings",
        ("pixel_size_A", "store_pixel_size_A", "voltage_kV", "movies", "threads"),
        assign=True,
    ),
    engine=options.WORK,
)
def ingest(
    which: Given,
    fetching: Given,
    settings: Given,
    engine: Given,
    entry_id: EntryId,
    store: options.StoreUrl,
    download: Annotated[
        Path,
        typer.Option("--download", metavar="DIR", help="Where the files go; every worker must see it."),
    ],
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Fetch an entry's images and bring them into a store as they come; the averages of movies are kept."""
    del debug
    from cryopick_ray.engine.open_engine import open_engine
    from cryopick_ray.runs.empiar_run import ArchiveEntry
    from cryopick_ray.settings.config import fill
    from cryopick_ray.settings.engine_settings import EngineSettings
    from cryopick_ray.settings.run_settings import IngestSettings
    from cryopick_ray.stages.averages import beside
    from cryopick_ray.stages.flow import flow
    from cryopick_ray.stages.ingest import Intake

    from .console import ConsoleEvents
    from .ingest import finish

    wanted, running = fill(IngestSettings, **settings), fill(EngineSettings, **engine)
    entry = ArchiveEntry(_those(entry_id, which, fetching), download.absolute(), tell)
    sources = entry.sources(Path.cwd())
    wanted = entry.as_declared(wanted, entry.sample(sources))
    with ConsoleEvents() as events, open_engine(running, threads=wanted.threads) as runner:
        kept = beside(store, None, Path.cwd())
        intake = Intake(store, wanted, averages=kept, device=running.device)
        with entry.batches(sources, intake.store) as batches:
            flow(batches, intake, None, runner, events)
    finish(sources, store, as_json=as_json)


def _those(entry_id: str, which: Given, fetching: Given) -> "RunSettings":
    """Return which files are meant, and how they come, as a run has it."""
    from cryopick_ray.empiar.entry import entry_number
    from cryopick_ray.settings.config import fill
    from cryopick_ray.settings.run_settings import RunSettings

    return fill(RunSettings, inputs=(f"empiar:{entry_number(entry_id)}",), archive=fetching, **which)


def _wanted(those: "RunSettings") -> "Wanted":
    from cryopick_ray.empiar.download import Wanted

    any_kind = those.pattern is not None
    return Wanted(
        those.archive.image_set, those.pattern, those.limit, all_roles=any_kind, exclude=those.exclude
    )


def _outcome(manifest: "Manifest", number: str, out: Path) -> dict[str, Any]:
    summary = manifest.summary()
    fetched, size_bytes = summary.get("fetched", (0, 0))
    failures = [
        {"path": row.path, "reason": row.reason} for row in manifest.chosen() if row.state == "failed"
    ]
    return {"entry": number, "out": str(out), "fetched": fetched, "bytes": size_bytes, "failures": failures}


def _size(n_bytes: int | None) -> str:
    from rich.filesize import decimal

    return "?" if n_bytes is None else decimal(n_bytes)
