"""RELION's start-end STAR files: two rows, x and y of both ends, for each straight filament.

Nothing in them tells them from coordinates of particles, so a reader must be told the format.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.export_paths import RELION_ENDINGS
from cryopick_ray.formats.filament_files import FilamentEnds, of_ends
from cryopick_ray.formats.format import ExportSettings, Format, Note
from cryopick_ray.formats.relion import lists
from cryopick_ray.formats.relion.particle_rows import X, Y, read_rows
from cryopick_ray.formats.star import Rows, write_files


def write_star_ends(picks: Iterable[Coordinates], out: Path, settings: ExportSettings) -> None:
    """Write a file of ends a micrograph and ``autopick.star``, their list, below ``out``.

    Notes
    -----
    RELION's extraction cuts them into segments, told that coordinates are start-end only.
    """
    ends = FilamentEnds()

    def rows_of(coordinates: Coordinates) -> Rows:
        width_px = (coordinates.diameter_A or 0.0) / (coordinates.micrograph.pixel_size_A or 1.0)
        return (X, Y), [
            f"{x:.3f} {y:.3f}" for piece in ends.of(coordinates, width_px) for x, y in piece.tolist()
        ]

    for _ in write_files(picks, out, settings, rows_of, "star/{}.star".format):
        pass
    ends.tell(settings.say)


def read_star_ends(path: Path, name: str, note: Note) -> Iterator[Coordinates]:
    """Yield the ends of filaments, two rows a filament, of a file or of all that a list names."""
    if lists.looks_like(path):
        yield from map(_paired, lists.read_list(path, _refused, note))
    else:
        yield from map(_paired, read_rows(path, name, note))


def _paired(coordinates: Coordinates) -> Coordinates:
    if len(coordinates.x_px) % 2:
        raise ValueError(f"{len(coordinates.x_px)} rows; expected two for each filament, its ends")
    return Coordinates(
        coordinates.micrograph,
        coordinates.x_px,
        coordinates.y_px,
        np.full(len(coordinates.x_px), np.nan),
        more=of_ends(coordinates.x_px, coordinates.y_px),
    )


def _refused(path: Path, name: str) -> Iterator[Coordinates]:
    raise ValueError(f"it lists {path.name} for {name!r}; expected STAR files of ends")


STAR_ENDS = Format(
    name="star-ends",
    title="RELION start-end STAR",
    suffixes=(".star",),
    looks_like=None,
    read=read_star_ends,
    write=write_star_ends,
    holds=frozenset({"fractions", "empty", "folders"}),
    columns=frozenset({"filament"}),
    endings=RELION_ENDINGS,
)
