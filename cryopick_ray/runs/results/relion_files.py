"""Coordinate and verdict files that a run writes for RELION."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePath

from cryopick_ray.errors import CryoPickError
from cryopick_ray.formats.column_names import IN_STAR, in_file
from cryopick_ray.formats.export_paths import relative_path
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.format_table import export
from cryopick_ray.formats.relion.verdicts import write_verdicts
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import PickTable
from cryopick_ray.store.publish import check_folder

Listener = Callable[[MicrographPicks], None]


def write_coordinates(
    table: PickTable,
    out: Path,
    settings: ExportSettings,
    listeners: Sequence[Listener] = (),
) -> None:
    """Write the picks and verdicts of a table as STAR files; remove those of micrographs no longer picked.

    Parameters
    ----------
    listeners
        Called with each micrograph on the way, so that a large table is read only once.
    """
    export(map(in_star, _announced(table, listeners)), "star", out, settings)
    write_verdicts(table.micrographs, out, settings)
    _remove_coordinates(out, table)


def _announced(table: Iterable[MicrographPicks], listeners: Sequence[Listener]) -> Iterator[MicrographPicks]:
    for picks in table:
        for listener in listeners:
            listener(picks)
        yield picks


def in_star(picks: MicrographPicks) -> MicrographPicks:
    """Return picks without the columns that STAR files cannot hold; the table keeps them."""
    return replace(
        picks, more={name: values for name, values in picks.more.items() if in_file(name) in IN_STAR}
    )


def _remove_coordinates(coordinates: Path, table: PickTable) -> None:
    """Remove coordinate files of micrographs that failed or are left out now."""
    for micrograph in table.micrographs:
        if micrograph.status == "complete":
            continue
        with suppress(CryoPickError, OSError):  # a name that no file can have
            below = PurePath("star", f"{relative_path(micrograph.micrograph_id)}.star")
            for folder in below.parents:
                check_folder(coordinates / folder)
            (coordinates / below).unlink(missing_ok=True)
