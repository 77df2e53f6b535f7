"""Words of the command line -> what a page shows: sources, micrographs, pictures, truth."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryopick_ray.errors import UsageError
from cryopick_ray.page.judgement import Applied
from cryopick_ray.page.pick_sources import About, PicksFile, PickSource, ShownPicks, table_threshold
from cryopick_ray.page.pixel_sources import InFiles, Pixels, PixelsInStore
from cryopick_ray.page.run_source import RunSource
from cryopick_ray.page.shared_names import alike, beside, of_files
from cryopick_ray.picks.schema import PickedMicrograph
from cryopick_ray.picks.table import PickTable, open_table
from cryopick_ray.project import project_of
from cryopick_ray.runs.run_folder import RunFolder
from cryopick_ray.stages.averages import MovieAverages
from cryopick_ray.store.pictures import PictureShelf
from cryopick_ray.store.place import Place, is_bucket

if TYPE_CHECKING:
    from cryopick_ray.micrographs.sources import MicrographSource

CONFIG, CURATION = "config.yaml", "curation"
ASSUMED_DIAMETER_A = 100.0
"""Where nobody says how large particles are: circles need some size."""


@dataclass(frozen=True)
class PageSettings:
    """What is shown, and by whom it is judged.

    Attributes
    ----------
    sources
        Runs, tables, files or folders of coordinates of any program, as ``PATH`` or ``NAME=PATH``; the first
        is curated.
    micrographs
        Where the micrographs are, if no source is a run.
    truth
        Coordinates of true particles.
    by
        Who decides.
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
class Opened:
    """What a page shows.

    Attributes
    ----------
    run
        The first source, if it is a run.
    listed
        The micrographs as they were when the page was opened; those of a run may become more.
    pixels
        Where their pictures come from; ``None`` if nobody knows.
    shelf
        Where pictures of them are that were made as they were picked.
    pixel_ids
        What that place calls each micrograph; ``None`` where it is called the same.
    notes
        What was left out or guessed.
    """

    run: RunSource | None
    listed: Sequence[PickedMicrograph]
    shown: Sequence[ShownPicks]
    pixels: Pixels | None
    shelf: PictureShelf | None
    pixel_ids: Mapping[str, str] | None
    applied: Applied
    diameter_A: float
    notes: Sequence[str]


def open_sources(settings: PageSettings) -> Opened:
    """Open everything that a page shows.

    Raises
    ------
    UsageError
        If a source is none, or what is needed to show it is not known.
    """
    named = [_named(text) for text in settings.sources]
    if not named:
        raise UsageError("there is nothing to show: give a run, a table or coordinates")
    notes: list[str] = []
    runs = {where: run for _, where in named if (run := _run(where)) is not None}
    place = settings.micrographs or next(iter(runs), None) or _run_around([where for _, where in named])
    if place is not None and place not in runs and (run := _run(place)) is not None:
        runs[place] = run
    found = [_opened(name, where, runs, place, settings, notes) for name, where in named]
    first = found[0].source
    files = [] if place is None or place in runs else _files(place)
    listed = first.micrographs
    if isinstance(first, PicksFile):
        listed = of_files(files, first)
        if place in runs:
            listed = [micrograph.unjudged() for micrograph in runs[place].micrographs]
    ids = [one.micrograph_id for one in listed]
    as_called = [] if isinstance(first, PicksFile) else found[:1]
    shown = [*as_called, *(beside(one, ids, notes) for one in found[len(as_called) :])]
    pixels: Pixels | None = None
    pixel_ids = None
    if place in runs:
        pixels = _in_store(runs[place])
        pixel_ids = None if first is runs[place] else alike(ids, runs[place].rows)
    elif files:
        pixels = InFiles({file.micrograph_id: file for file in files})
        pixel_ids = alike(ids, [file.micrograph_id for file in files])
    across_A = settings.diameter_A or next((one for one in map(_diameter_A, found) if one), None)
    if across_A is None:
        notes.append(
            f"no source says how large particles are; {ASSUMED_DIAMETER_A:g} A is shown (`diameter_A`)"
        )
    return Opened(
        first if isinstance(first, RunSource) else None,
        listed,
        shown,
        pixels,
        PictureShelf(Place(runs[place].folder.where)) if place in runs else None,
        pixel_ids,
        applied_of(first, settings, notes),
        across_A or ASSUMED_DIAMETER_A,
        notes,
    )


def curation_folder(settings: PageSettings, run: RunSource | None) -> Path:
    """Return the folder of decisions."""
    if settings.curation is not None:
        return settings.curation.absolute()
    is_here = run is None or is_bucket(run.folder.where)
    return Path.cwd() / CURATION if is_here or run is None else Path(run.folder.where) / CURATION


def applied_of(first: PickSource | None, settings: PageSettings, notes: list[str]) -> Applied:
    """Return what the first source heeds already: as its table says, and as a run's settings ask."""
    run = first if isinstance(first, RunSource) else None
    table = first if run is None else run.table
    passes: dict[str, Any] = {}
    if isinstance(table, PickTable):
        passes = {name: value for pass_ in table.made.passes for name, value in pass_.items()}
    given = passes.get("curation") or ()
    heeded = [Path(one) for one in ([given] if isinstance(given, str) else given)]
    asked = [] if run is None else [*run.settings.selection.curation]
    own = curation_folder(settings, run)
    elsewhere = tuple(path for path in dict.fromkeys([*heeded, *asked]) if own not in (path, path.parent))
    is_known = all(path.exists() for path in elsewhere)
    if not is_known:
        notes.append(f"decisions in {elsewhere[0]} were heeded and cannot be read: they are not taken back")
    by_verdict = passes.get("exclude_micrographs") is not None
    is_own = any(own in (path, path.parent) for path in heeded)
    spacing_A = None if run is None else run.spacing_A
    return Applied(elsewhere, bool(heeded), is_known, by_verdict, is_own, spacing_A)


def _files(place: str) -> "list[MicrographSource]":
    from cryopick_ray.micrographs.sources import list_sources

    return list_sources([place], relion_project=project_of([place]))


def _named(text: str) -> tuple[str, str]:
    """Return what a source is called, and where it is."""
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
    """Return the run whose own table or coordinates one of the places is."""
    for where in places:
        parent = Path(where).absolute().parent
        if (parent / CONFIG).is_file():
            return str(parent)
    return None


def _opened(
    name: str,
    where: str,
    runs: Mapping[str, RunSource],
    place: str | None,
    settings: PageSettings,
    notes: list[str],
) -> ShownPicks:
    from cryopick_ray.formats.reading import is_table

    if where in runs:
        run = runs[where]
        return ShownPicks(lambda: replace(run.about, name=name), run)
    if is_table(where):
        table = open_table(where)
        about = About(name, "table", "", table_threshold(table))
        return ShownPicks(lambda: about, table)
    if place is None:
        raise UsageError(
            f"{where} holds coordinates, and nothing says where their micrographs are: give `micrographs`"
        )
    from cryopick_ray.formats.known import KnownMicrographs
    from cryopick_ray.runs.voters import read_input

    known = KnownMicrographs(place)
    read = read_input(name, where, known, settings.pixel_size_A, settings.diameter_A, notes)
    source = PicksFile({key: own for key in read.micrographs for own in read.source.of([key]).values()})
    about = About(name, "files", "", source.lowest)
    return ShownPicks(lambda: about, source)


def open_beside(name: str, table: str, ids: Sequence[str]) -> ShownPicks:
    """Return the picks of a table, by the ids of the page."""
    found = open_table(table)
    about = About(name, "table", "", table_threshold(found))
    return beside(ShownPicks(lambda: about, found), ids, [])


def _in_store(run: RunSource) -> PixelsInStore:
    def averages() -> MovieAverages:
        return run.folder.averages(run.folder.relion_project(run.settings))

    return PixelsInStore(lambda: run.store, run.rows, averages)


def _diameter_A(picks: ShownPicks) -> float | None:
    source = picks.source
    if isinstance(source, PicksFile):
        return next((own.diameter_A for own in source.picks.values() if own.diameter_A > 1), None)
    return float(getattr(source, "diameter_A", 0.0)) or None
