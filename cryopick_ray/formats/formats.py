"""The table of formats, by name."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from cryopick_ray.errors import UsageError
from cryopick_ray.formats.box import BOX
from cryopick_ray.formats.cbox import CBOX
from cryopick_ray.formats.column_names import RELION
from cryopick_ray.formats.coordinates import Coordinates, picked
from cryopick_ray.formats.cryoppp import CRYOPPP
from cryopick_ray.formats.cs import CS
from cryopick_ray.formats.csv_table import CSV
from cryopick_ray.formats.eman2 import EMAN2
from cryopick_ray.formats.eman_helix import BOX_ENDS, BOX_SEGMENTS
from cryopick_ray.formats.filament_files import ANGLE, FILAMENT, TRACK, along
from cryopick_ray.formats.format import ExportSettings, Format, Thing
from cryopick_ray.formats.imod import IMOD
from cryopick_ray.formats.plain import PLAIN
from cryopick_ray.formats.star import STAR
from cryopick_ray.formats.star_ends import STAR_ENDS
from cryopick_ray.formats.topaz import TOPAZ
from cryopick_ray.formats.via import VIA
from cryopick_ray.formats.xmipp import XMIPP
from cryopick_ray.picks.schema import MicrographPicks

ROWS = (
    *(STAR, BOX, CBOX, CS, CSV, TOPAZ, EMAN2, CRYOPPP, VIA, XMIPP, PLAIN, IMOD),
    *(STAR_ENDS, BOX_ENDS, BOX_SEGMENTS),
)
FORMATS = {one.name: one for one in ROWS}
READ = tuple(one.name for one in ROWS if one.read)
WRITTEN = tuple(one.name for one in ROWS if one.write)


def export(
    picks: Iterable[MicrographPicks], format: str, out: Path, settings: ExportSettings | None = None
) -> None:
    """Write the picked candidates in the format of another program.

    Parameters
    ----------
    picks
        Micrographs in table order; read once, one at a time.
    format
        One of :data:`WRITTEN`.
    out
        Folder, made where missing.
    settings
        What the format needs besides the picks.

    Raises
    ------
    UsageError
        The format is unknown.
    """
    write(picked(picks), format, out, settings or ExportSettings())


def write(coordinates: Iterable[Coordinates], format: str, out: Path, settings: ExportSettings) -> None:
    """Write particles, one micrograph at a time, and tell what the format has no room for.

    Raises
    ------
    UsageError
        The format is unknown, or only read.
    """
    if format not in WRITTEN:
        raise UsageError(f"format is {format!r}, expected one of {', '.join(WRITTEN)}: change `format`")
    chosen = FORMATS[format]
    assert chosen.write is not None
    if settings.whole_px:
        coordinates = (one.whole() for one in coordinates)
    lost: dict[str, None] = {}
    chosen.write(map(along, _watched(coordinates, chosen, lost)), out, settings)
    if lost:
        settings.say(f"{chosen.title} has no room for {', '.join(lost)}: left out")


def _watched(
    coordinates: Iterable[Coordinates], format: Format, lost: dict[str, None]
) -> Iterator[Coordinates]:
    for one in coordinates:
        lost.update((words, None) for thing, words in _things(one) if thing not in format.holds)
        if len(one.x_px):
            known = one.known
            is_told = format.columns
            if FILAMENT in known and FILAMENT in format.columns:
                is_told |= {TRACK, ANGLE}  # places of segments tell them
            lost.update((name, None) for name in known if name not in is_told)
        yield one


def _things(coordinates: Coordinates) -> Iterator[tuple[Thing, str]]:
    """Yield what a micrograph's particles have beside names and whole places."""
    if coordinates.micrograph.status != "complete":
        return
    if coordinates.is_scored:
        yield "scores", "scores"
    if coordinates.box_px is not None:
        yield "boxes", "sizes of boxes"
    if not len(coordinates.x_px):
        yield "empty", "micrographs without particles"
    elif not (
        np.array_equal(coordinates.x_px, np.rint(coordinates.x_px))
        and np.array_equal(coordinates.y_px, np.rint(coordinates.y_px))
    ):
        yield "fractions", "fractions of pixels"
    if others := coordinates.columns.keys() - RELION.values():
        yield "columns", ", ".join(name for name in coordinates.columns if name in others)
