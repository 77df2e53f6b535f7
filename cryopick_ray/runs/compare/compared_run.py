"""Inputs of a comparison: a run, a table or coordinate files, opened."""

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
from cryopick_ray.picks.index import TableHistory
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.table import PickTable, open_table
from cryopick_ray.report.report import flatten
from cryopick_ray.runs.results.summary import read_summary
from cryopick_ray.runs.run_folder import RunFolder

CONFIG = "config.yaml"
UNSAID = "-"
"""Value shown for a setting that a run does not have."""


@dataclass(frozen=True)
class ComparedRun:
    """An input of a comparison: its micrographs, diameter and settings; picks are read later.

    Attributes
    ----------
    name
        As given by the user.
    micrographs
        Those not left out in favour of another image of the same exposure.
    diameter_A
        Particle diameter; ``None`` if unknown.
    table, coordinates
        Source of the picks: one of the two.
    store
        URL of the store of its micrographs; empty if there is none.
    settings
        Values as text, by name.
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
        """Ids of its micrographs."""
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
        micrographs = [micrograph for micrograph in table.micrographs if micrograph.status != "left out"]
        is_run = folder.config.is_file()
        return ComparedRun(
            str(where),
            micrographs,
            table.diameter_A or None,
            table=table,
            store=folder.store if is_run else "",
            settings=_settings(table.made, folder if is_run else None),
        )
    if (Path(where) / CONFIG).is_file():
        raise UsageError(f"{where} holds a run that has no table yet; go on with it by `resume` first")
    try:
        read = read_coordinates(where)
    except UnclearFormatError as error:
        raise UsageError(f"{error}: convert it first") from error
    coordinates = sorted(read.coordinates, key=lambda item: item.micrograph.micrograph_id)
    diameter_A = next((item.diameter_A for item in coordinates if item.diameter_A), None)
    return ComparedRun(
        str(where),
        [item.micrograph for item in coordinates],
        diameter_A,
        coordinates=coordinates,
        notes=read.notes,
    )


def filled(
    runs: Sequence[ComparedRun], names: Sequence[Names], *, pixel_size_A: float | None, diameter_A: float
) -> list[Iterable[MicrographPicks]]:
    """Return the picks of each run, as iterables that can be read repeatedly.

    Shapes and pixel sizes that coordinate files lack are taken from the other runs. A micrograph that no
    other run has is not compared, so that any pixel size will do for it.
    """
    described: dict[str, PickedMicrograph] = {}
    for run, run_names in zip(runs, names, strict=True):
        for micrograph in run.micrographs:
            if micrograph.shape and micrograph.pixel_size_A:
                described.setdefault(run_names[micrograph.micrograph_id], micrograph)
    any_size_A = next((micrograph.pixel_size_A for micrograph in described.values()), None)
    return [
        run.table
        if run.table is not None
        else list(
            as_picks(
                [
                    _completed(micrograph, described.get(run_names[micrograph.micrograph.micrograph_id]))
                    for micrograph in run.coordinates
                ],
                pixel_size_A=pixel_size_A or any_size_A,
                diameter_A=diameter_A,
            )
        )
        for run, run_names in zip(runs, names, strict=True)
    ]


def differing(runs: Sequence[ComparedRun]) -> dict[str, list[str]]:
    """Return the settings that differ among the runs that have them: values by run, for each name."""
    rows = {}
    for name in dict.fromkeys(name for run in runs for name in run.settings):
        values = [run.settings.get(name, UNSAID) for run in runs]
        if len(set(values) - {UNSAID}) > 1:
            rows[name] = values
    return rows


def _completed(coordinates: Coordinates, other: PickedMicrograph | None) -> Coordinates:
    """Return coordinates with a missing shape and pixel size filled in from another run's micrograph."""
    if other is None or other.shape is None:
        return coordinates
    shape = coordinates.micrograph.shape or other.shape
    size_A = coordinates.micrograph.pixel_size_A or other.pixel_size_A
    completed = replace(
        coordinates, micrograph=replace(coordinates.micrograph, shape=shape, pixel_size_A=size_A)
    )
    return completed.flipped(shape[0]) if completed.is_upside_down else completed


def _settings(made: TableHistory, folder: RunFolder | None) -> dict[str, str]:
    """Return the passes and thresholds of a table, and the settings of its run."""
    thresholds: Mapping[str, Any] = made.thresholds
    settings: dict[str, Any] = {
        f"pass {name}": value for pass_ in made.passes for name, value in pass_.items()
    }
    if folder is not None:
        settings = folder.settings().model_dump(mode="json")
        if not thresholds:
            with suppress(UsageError):  # of a run that is not finished
                thresholds_kept = read_summary(folder).thresholds
                thresholds = {name: vars(cut) for name, cut in thresholds_kept.items()}
    cuts = {f"cut of {name}": f"{cut['value']:.4g} ({cut['method']})" for name, cut in thresholds.items()}
    return {**cuts, **dict(flatten(settings)), "version": made.version or UNSAID}
