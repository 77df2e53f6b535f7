"""The files that a run leaves for RELION."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePath

from cryopick_ray.errors import CryoPickError
from cryopick_ray.formats.column_names import IN_STAR, in_file
from cryopick_ray.formats.export_paths import relative_path
from cryopick_ray.formats.format import ExportSettings
from cryopick_ray.formats.formats import export
from cryopick_ray.formats.relion.verdicts import write_verdicts
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import PickTable
from cryopick_ray.store.publish import check_folder

See = Callable[[MicrographPicks], None]


def write_coordinates(
    table: PickTable,
    out: Path,
    settings: ExportSettings,
    see: Sequence[Callable[[MicrographPicks], None]] = (),
) -> None:
    """Write the picks and verdicts of a table as STAR files; none stay of micrographs without picks now.

    Parameters
    ----------
    see
        Shown each micrograph on the way: a table is read for minutes where there are many.
    """
    export(map(in_star, _seen(table, see)), "star", out, settings)
    write_verdicts(table.micrographs, out, settings)
    _remove_coordinates(out, table)


def _seen(table: Iterable[MicrographPicks], see: Sequence[See]) -> Iterator[MicrographPicks]:
    for one in table:
        for shown in see:
            shown(one)
        yield one


def in_star(picks: MicrographPicks) -> MicrographPicks:
    """Return picks without what STAR files have no room for: nobody asked for it there, the table has it."""
    return replace(
        picks, more={name: values for name, values in picks.more.items() if in_file(name) in IN_STAR}
    )


def _remove_coordinates(coordinates: Path, table: PickTable) -> None:
    """Remove the files of micrographs that were picked once, but failed or are left out now."""
    for micrograph in table.micrographs:
        if micrograph.status == "complete":
            continue
        with suppress(CryoPickError, OSError):  # of a name that no file has
            below = PurePath("star", f"{relative_path(micrograph.micrograph_id)}.star")
            for folder in below.parents:
                check_folder(coordinates / folder)
            (coordinates / below).unlink(missing_ok=True)
