"""Open what a page shows: pick sources, micrographs, pictures, truth."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryopick_ray.errors import UsageError
from cryopick_ray.page.pick_sources import (
    PicksFile,
    PickSource,
    ShownPicks,
    SourceDescription,
    table_threshold,
)
from cryopick_ray.page.pixel_sources import PixelsInFiles, PixelsInStore, PixelSource
from cryopick_ray.page.run_source import RunSource
from cryopick_ray.page.shared_decisions import AppliedDecisions
from cryopick_ray.page.shared_names import matching_ids, of_files, with_page_ids
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.picks.table import PickTable, open_table
from cryopick_ray.project import project_of
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.stages.averages import MovieAverages
from cryopick_ray.store.pictures import PictureStore
from cryopick_ray.store.place import Place, is_bucket

if TYPE_CHECKING:
    from cryopick_ray.micrographs.sources import MicrographSource

CONFIG, CURATION = "config.yaml", "curation"
ASSUMED_DIAMETER_A = 100.0
"""Diameter of drawn circles where none is known."""


@dataclass(frozen=True)
class PageSettings:
    """What a page shows, and who decides.

    Attributes
    ----------
    sources
        Runs, tables, files or folders of coordinates of any program, as ``PATH`` or ``NAME=PATH``; the first
        is curated.
    micrographs
        Folder of the micrographs, if no source is a run.
    truth
        Coordinates of true particles.
    by
        Name of the person who decides.
    curation
        Folder of decisions; ``None`` for ``curation`` in the first run, else here.
    classes
        Folder of a classification of its particles; ``None`` for ``classes`` in the first run.
    """

    sources: tuple[str, ...]
    micrographs: str | None = None
    truth: str | None = None
    by: str = ""
    curation: Path | None = None
    classes: Path | None = None
    diameter_A: float | None = None
    pixel_size_A: float | None = None


@dataclass(frozen=True)
class OpenedSources:
    """What a page shows.

    Attributes
    ----------
    run
        The first source, if it is a run.
    listed
        Micrographs when the page was opened; a run's list may grow.
    pixels
        Source of their pixels; ``None`` if unknown.
    shelf
        Store of pictures made while picking.
    pixel_ids
        Ids in ``pixels`` by ids of the page; ``None`` if they are the same.
    notes
        What was left out or guessed.
    """

    run: RunSource | None
    listed: Sequence[PickedMicrograph]
    shown: Sequence[ShownPicks]
    pixels: PixelSource | None
    shelf: PictureStore | None
    pixel_ids: Mapping[str, str] | None
    applied: AppliedDecisions
    diameter_A: float
    notes: Sequence[str]


def open_sources(settings: PageSettings) -> OpenedSources:
    """Open everything that a page shows.

    Raises
    ------
    UsageError
        If a source cannot be opened, or its micrographs are unknown.
    """
    named = [_named(text) for text in settings.sources]
    if not named:
        raise UsageError("there is nothing to show: give a run, a table or coordinates")
    notes: list[str] = []
    runs = {where: run for _, where in named if (run := _run(where)) is not None}
    image_source = (
        settings.micrographs or next(iter(runs), None) or _run_around([where for _, where in named])
    )
    if image_source is not None and image_source not in runs and (run := _run(image_source)) is not None:
        runs[image_source] = run
    opened = [_opened(name, where, runs, image_source, settings, notes) for name, where in named]
    first = opened[0].source
    files = [] if image_source is None or image_source in runs else _files(image_source)
    listed = first.micrographs
    if isinstance(first, PicksFile):
        listed = of_files(files, first)
        if image_source in runs:
            listed = [micrograph.unjudged() for micrograph in runs[image_source].micrographs]
    ids = [item.micrograph_id for item in listed]
    as_called = [] if isinstance(first, PicksFile) else opened[:1]
    shown = [*as_called, *(with_page_ids(item, ids, notes) for item in opened[len(as_called) :])]
    pixels: PixelSource | None = None
    pixel_ids = None
    if image_source in runs:
        pixels = _in_store(runs[image_source])
        pixel_ids = None if first is runs[image_source] else matching_ids(ids, runs[image_source].rows)
    elif files:
        pixels = PixelsInFiles({file.micrograph_id: file for file in files})
        pixel_ids = matching_ids(ids, [file.micrograph_id for file in files])
    diameter_A = settings.diameter_A or next((item for item in map(_diameter_A, opened) if item), None)
    if diameter_A is None:
        notes.append(
            f"no source says how large particles are; {ASSUMED_DIAMETER_A:g} A is shown (`diameter_A`)"
        )
    return OpenedSources(
        first if isinstance(first, RunSource) else None,
        listed,
        shown,
        pixels,
        PictureStore(Place(runs[image_source].folder.where)) if image_source in runs else None,
        pixel_ids,
        applied_decisions(first, settings, notes),
        diameter_A or ASSUMED_DIAMETER_A,
        notes,
    )


def curation_folder(settings: PageSettings, run: RunSource | None) -> Path:
    """Return the folder of decisions."""
    if settings.curation is not None:
        return settings.curation.absolute()
    is_here = run is None or is_bucket(run.folder.where)
    return Path.cwd() / CURATION if is_here or run is None else Path(run.folder.where) / CURATION


def applied_decisions(first: PickSource | None, settings: PageSettings, notes: list[str]) -> AppliedDecisions:
    """Return the decisions that the first source holds, from its table and the run's settings."""
    run = first if isinstance(first, RunSource) else None
    table = first if run is None else run.table
    passes: dict[str, Any] = {}
    if isinstance(table, PickTable):
        passes = {name: value for pass_ in table.made.passes for name, value in pass_.items()}
    in_table = passes.get("curation") or ()
    applied = [Path(path) for path in ([in_table] if isinstance(in_table, str) else in_table)]
    in_settings = [] if run is None else [*run.settings.selection.curation]
    folder = curation_folder(settings, run)
    elsewhere = tuple(
        path for path in dict.fromkeys([*applied, *in_settings]) if folder not in (path, path.parent)
    )
    is_known = all(path.exists() for path in elsewhere)
    if not is_known:
        notes.append(f"decisions in {elsewhere[0]} were heeded and cannot be read: they are not taken back")
    by_verdict = passes.get("exclude_micrographs") is not None
    is_own = any(folder in (path, path.parent) for path in applied)
    spacing_A = None if run is None else run.spacing_A
    return AppliedDecisions(elsewhere, bool(applied), is_known, by_verdict, is_own, spacing_A)


def _files(image_source: str) -> "list[MicrographSource]":
    from cryopick_ray.micrographs.sources import list_sources

    return list_sources([image_source], relion_project=project_of([image_source]))


def _named(text: str) -> tuple[str, str]:
    """Return a source's name and path."""
    name, is_named, where = text.partition("=")
    if not is_named or Path(text).exists():
        name, where = Path(text.rstrip("/")).name, text
    return name, where


def _run(where: str) -> RunSource | None:
    if not is_bucket(where) and not (Path(where) / CONFIG).is_file():
        return None
    folder = RunFolder(where)
    if not folder.config.is_file():
        return None
    folder.fetch_table()
    return RunSource(folder, folder.settings())


def _run_around(places: Iterable[str]) -> str | None:
    """Return the run that one of the paths, a table or coordinates, lies in."""
    for where in places:
        parent = Path(where).absolute().parent
        if (parent / CONFIG).is_file():
            return str(parent)
    return None


def _opened(
    name: str,
    where: str,
    runs: Mapping[str, RunSource],
    image_source: str | None,
    settings: PageSettings,
    notes: list[str],
) -> ShownPicks:
    from cryopick_ray.formats.reading import is_table

    if where in runs:
        run = runs[where]
        return ShownPicks(lambda: replace(run.about, name=name), run)
    if is_table(where):
        table = open_table(where)
        about = SourceDescription(name, "table", "", table_threshold(table))
        return ShownPicks(lambda: about, table)
    if image_source is None:
        raise UsageError(
            f"{where} holds coordinates, and nothing says where their micrographs are: give `micrographs`"
        )
    from cryopick_ray.formats.known_micrographs import KnownMicrographs
    from cryopick_ray.runs.consensus.consensus_inputs import read_input

    known = KnownMicrographs(image_source)
    coordinates = read_input(name, where, known, settings.pixel_size_A, settings.diameter_A, notes)
    source = PicksFile(
        {key: picks for key in coordinates.micrographs for picks in coordinates.source.of([key]).values()}
    )
    about = SourceDescription(name, "files", "", source.lowest)
    return ShownPicks(lambda: about, source)


def open_beside(name: str, table: str, ids: Sequence[str]) -> ShownPicks:
    """Return the picks of a table, by the ids of the page."""
    picks_table = open_table(table)
    about = SourceDescription(name, "table", "", table_threshold(picks_table))
    return with_page_ids(ShownPicks(lambda: about, picks_table), ids, [])


def _in_store(run: RunSource) -> PixelsInStore:
    def averages() -> MovieAverages:
        return run.folder.averages(run.folder.relion_project(run.settings))

    return PixelsInStore(lambda: run.store, run.rows, averages)


def _diameter_A(picks: ShownPicks) -> float | None:
    source = picks.source
    if isinstance(source, PicksFile):
        return next(
            (picks_of.diameter_A for picks_of in source.picks.values() if picks_of.diameter_A > 1), None
        )
    return float(getattr(source, "diameter_A", 0.0)) or None
