"""One of the runs that are compared: a run, a table or files of coordinates, opened."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryopick_ray.errors import UsageError
from cryopick_ray.evaluation.alike import Names
from cryopick_ray.evaluation.external_picks import as_picks
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.reading import UnclearFormatError, is_table, read_coordinates
from cryopick_ray.picks.index import Made
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.table import PickTable, open_table
from cryopick_ray.report.report import flatten
from cryopick_ray.runs.results import read_summary
from cryopick_ray.runs.run_folder import RunFolder

CONFIG = "config.yaml"
UNSAID = "-"
"""Of a setting that a run does not have."""


@dataclass(frozen=True)
class ComparedRun:
    """What is known of a run before its picks are read.

    Attributes
    ----------
    name
        As a person gave it.
    micrographs
        Those that stand for themselves, not left out for another image of their exposure.
    diameter_A
        Of a particle; ``None`` if it does not say.
    table, coordinates
        Its picks: one of them.
    store
        URL of its micrographs; empty if it has none.
    settings
        By name, as text.
    notes
        What was left out, and why.
    """

    name: str
    micrographs: Sequence[PickedMicrograph]
    diameter_A: float | None
    table: PickTable | None = None
    coordinates: Sequence[Coordinates] = ()
    store: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def ids(self) -> list[str]:
        """Of its micrographs."""
        return [micrograph.micrograph_id for micrograph in self.micrographs]


def open_compared(where: str | Path) -> ComparedRun:
    """Open a run, a table, or files or a folder of coordinates.

    Raises
    ------
    UsageError
        It is none of these, or its format is not clear.
    """
    if is_table(where):
        table, folder = open_table(where), RunFolder(where)
        meant = [micrograph for micrograph in table.micrographs if micrograph.status != "left out"]
        is_run = folder.config.is_file()
        return ComparedRun(
            str(where),
            meant,
            table.diameter_A or None,
            table=table,
            store=folder.store if is_run else "",
            settings=_settings(table.made, folder if is_run else None),
        )
    if (Path(where) / CONFIG).is_file():
        raise UsageError(f"{where} holds a run that has no table yet; go on with it by `resume` first")
    try:
        found = read_coordinates(where)
    except UnclearFormatError as error:
        raise UsageError(f"{error}: convert it first") from error
    some = sorted(found.coordinates, key=lambda one: one.micrograph.micrograph_id)
    across_A = next((one.diameter_A for one in some if one.diameter_A), None)
    return ComparedRun(
        str(where), [one.micrograph for one in some], across_A, coordinates=some, notes=found.notes
    )


def filled(
    runs: Sequence[ComparedRun], names: Sequence[Names], *, pixel_size_A: float | None, diameter_A: float
) -> list[Iterable[MicrographPicks]]:
    """Return the picks of each run, to be read as often as one likes.

    What files of coordinates do not say of a micrograph, another run does. Of one that no other run has
    nothing is compared, so that any pixel size will do.
    """
    known: dict[str, PickedMicrograph] = {}
    for run, own in zip(runs, names, strict=True):
        for micrograph in run.micrographs:
            if micrograph.shape and micrograph.pixel_size_A:
                known.setdefault(own[micrograph.micrograph_id], micrograph)
    any_size_A = next((one.pixel_size_A for one in known.values()), None)
    return [
        run.table
        if run.table is not None
        else list(
            as_picks(
                [_told(one, known.get(own[one.micrograph.micrograph_id])) for one in run.coordinates],
                pixel_size_A=pixel_size_A or any_size_A,
                diameter_A=diameter_A,
            )
        )
        for run, own in zip(runs, names, strict=True)
    ]


def differing(runs: Sequence[ComparedRun]) -> dict[str, list[str]]:
    """Return the settings in which runs differ that have them, each by run."""
    rows = {}
    for name in dict.fromkeys(name for run in runs for name in run.settings):
        values = [run.settings.get(name, UNSAID) for run in runs]
        if len(set(values) - {UNSAID}) > 1:
            rows[name] = values
    return rows


def _told(coordinates: Coordinates, other: PickedMicrograph | None) -> Coordinates:
    """Return coordinates with the shape and pixel size of their micrograph that another run knows."""
    if other is None or other.shape is None:
        return coordinates
    shape = coordinates.micrograph.shape or other.shape
    size_A = coordinates.micrograph.pixel_size_A or other.pixel_size_A
    told = replace(coordinates, micrograph=replace(coordinates.micrograph, shape=shape, pixel_size_A=size_A))
    return told.flipped(shape[0]) if told.is_upside_down else told


def _settings(made: Made, folder: RunFolder | None) -> dict[str, str]:
    """Return how a table came about, and the settings of its run."""
    thresholds: Mapping[str, Any] = made.thresholds
    said: dict[str, Any] = {f"pass {name}": value for pass_ in made.passes for name, value in pass_.items()}
    if folder is not None:
        said = folder.settings().model_dump(mode="json")
        if not thresholds:
            with suppress(UsageError):  # of a run that is not finished
                kept = read_summary(folder).thresholds
                thresholds = {name: vars(cut) for name, cut in kept.items()}
    cuts = {f"cut of {name}": f"{cut['value']:.4g} ({cut['method']})" for name, cut in thresholds.items()}
    return {**cuts, **dict(flatten(said)), "version": made.version or UNSAID}
