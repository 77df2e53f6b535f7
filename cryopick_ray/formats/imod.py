"""Text of IMOD's model2point: x, y and z of points, the first pixel's centre at 0.5.

IMOD draws row 0 of an MRC at the bottom and counts y from there, so that its y is the row, as ours is.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from cryopick_ray.formats.coordinates import Coordinates, from_file
from cryopick_ray.formats.export_paths import complete, without_extension
from cryopick_ray.formats.format import ExportSettings, Format, Note
from cryopick_ray.formats.text import are_numbers, first_rows, lines, numbers, table_text
from cryopick_ray.store.publish import below, write_whole

HALF = 0.5


def write_imod(picks: Iterable[Coordinates], out: Path, settings: ExportSettings) -> None:
    """Write ``out/<micrograph without extension>.pt``, which point2model reads."""
    for name, one in complete(picks, without_extension, settings.say):
        x_px, y_px = (places.astype(np.float64) + HALF for places in (one.x_px, one.y_px))
        write_whole(below(out, f"{name}.pt"), table_text("%.3f %.3f 0", x_px, y_px))


def read_imod(path: Path, name: str, note: Note) -> Iterator[Coordinates]:
    """Yield the points of a file; numbers of object and contour may stand before them."""
    del note
    rows: list[list[float]] = []
    for number, line in lines(path):
        words = line.split()
        if not 3 <= len(words) <= 5 or len(words) != len(rows[0] if rows else words):
            raise ValueError(f"line {number} has {len(words)} fields; expected x, y, z of a point")
        rows.append(numbers(words, number))
    table = np.reshape(rows, (len(rows), -1))[:, -3:] if rows else np.empty((0, 3))
    if len(np.unique(table[:, 2])) > 1:
        raise ValueError("its points lie on several sections (z), expected one micrograph")
    yield from_file(name, table[:, 0] - HALF, table[:, 1] - HALF)


def _looks_like_points(head: str) -> bool:
    rows = first_rows(head)
    return bool(rows) and all(3 <= len(row) <= 5 and are_numbers(row) for row in rows)


IMOD = Format(
    name="imod",
    title="IMOD points",
    suffixes=(".pt", ".pts", ".point", ".points"),
    looks_like=_looks_like_points,
    read=read_imod,
    write=write_imod,
    holds=frozenset({"fractions", "empty", "folders"}),
    is_marked=False,
)
