"""One CSV table of all picks, for spreadsheets and scripts."""

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from cryopick_ray.formats.coordinates import Coordinates, by_micrograph
from cryopick_ray.formats.files import FORMULA, complete, relative_path
from cryopick_ray.formats.format import ExportSettings, Format, Note
from cryopick_ray.formats.text import header, rows
from cryopick_ray.store.publish import published

COLUMNS = ("micrograph_id", "x_px", "y_px", "score", "diameter_A")


def write_csv(picks: Iterable[Coordinates], out: Path, settings: ExportSettings) -> None:
    """Write ``out/picks.csv``: centres in pixels, 0 at the centre of the first pixel, x = column, y = row.

    Notes
    -----
    A spreadsheet runs a cell that begins as a formula does. Such a name is written as the same path with
    ``./`` before it.
    """
    with published(out / "picks.csv") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for path, one in complete(picks, relative_path, settings.say):
            micrograph_id = f"./{path}" if FORMULA.match(str(path)) else str(path)
            diameter_A = "" if one.diameter_A is None else f"{one.diameter_A:g}"
            for x, y, score in one.rows():
                last = f"{score:.7g}" if math.isfinite(score) else ""
                table.writerow((micrograph_id, f"{x:.3f}", f"{y:.3f}", last, diameter_A))


def read_csv(path: Path, name: str, note: Note) -> Iterator[Coordinates]:
    """Yield the micrographs of a table, ``score`` and ``diameter_A`` where it has them."""
    del name, note
    found = [
        (row.cells["micrograph_id"], *map(row.value, ("x_px", "y_px")), *map(row.value_or_nan, COLUMNS[3:]))
        for row in rows(path, ",")
    ]
    if not found:
        return
    names, x, y, score, diameter_A = zip(*found, strict=True)
    sizes = dict(zip(names, diameter_A, strict=True))
    for one in by_micrograph(names, x, y, score):
        size_A = sizes[one.micrograph.relion_name]
        yield replace(one, diameter_A=size_A if np.isfinite(size_A) else None)


CSV = Format(
    name="csv",
    title="CSV of cryopick",
    suffixes=(".csv",),
    looks_like=lambda head: set(COLUMNS[:3]) <= header(head, ","),
    read=read_csv,
    write=write_csv,
    holds=frozenset({"scores", "diameters", "fractions", "folders"}),
)
