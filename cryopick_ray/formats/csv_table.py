"""One CSV table of all picks, for spreadsheets and scripts."""

import csv
import math
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.formats.column_names import IN_FILES, is_known, single
from cryopick_ray.formats.coordinates import Coordinates, by_micrograph
from cryopick_ray.formats.export_paths import FORMULA, complete, relative_path
from cryopick_ray.formats.format import ExportSettings, Format, Note
from cryopick_ray.formats.text import TextRow, header, rows
from cryopick_ray.store.publish import published

COLUMNS = ("micrograph_id", "x_px", "y_px", "score", "diameter_A")


def write_csv(picks: Iterable[Coordinates], out: Path, settings: ExportSettings) -> None:
    """Write ``out/picks.csv``: centres in pixels, 0 at the centre of the first pixel, x = column, y = row.

    Notes
    -----
    A column follows for each optional one that is known of any particle.
    A spreadsheet runs a cell that begins as a formula does. Such a name is written as the same path with
    ``./`` before it, another word with a blank.
    """
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryFile("w+", dir=out, encoding="utf-8", newline="") as aside:
        parts = [
            (len(one.x_px), _write_rows(aside, str(path), one))
            for path, one in complete(picks, relative_path, settings.say)
        ]
        found = {name for _, names in parts for name in names}
        names = tuple(name for name in IN_FILES if name in found)
        aside.seek(0)
        with published(out / "picks.csv") as file:
            csv.writer(file, lineterminator="\n").writerow((*COLUMNS, *names))
            if all(own == names for count, own in parts if count):
                shutil.copyfileobj(aside, file)
            else:
                _copy_rows(aside, file, parts, names)


def read_csv(path: Path, name: str, note: Note) -> Iterator[Coordinates]:
    """Yield the micrographs of a table, ``score``, ``diameter_A`` and optional columns where it has them."""
    del name, note
    found = list(rows(path, ","))
    if not found:
        return
    names = [row.cells["micrograph_id"] for row in found]
    x, y, score, diameter_A = (
        [read(row, column) for row in found]
        for column, read in zip(
            COLUMNS[1:], (TextRow.value, TextRow.value, *2 * (TextRow.value_or_nan,)), strict=True
        )
    )
    sizes = dict(zip(names, diameter_A, strict=True))
    more = {column: _values(found, column) for column in IN_FILES if column in found[0].cells}
    for one in by_micrograph(names, x, y, score, more=more):
        size_A = sizes[one.micrograph.relion_name]
        yield replace(one, diameter_A=size_A if np.isfinite(size_A) else None)


def _write_rows(file: IO[str], micrograph_id: str, coordinates: Coordinates) -> tuple[str, ...]:
    """Write a micrograph's rows; return the optional columns that they have."""
    table, known = csv.writer(file, lineterminator="\n"), coordinates.known
    micrograph_id = f"./{micrograph_id}" if FORMULA.match(micrograph_id) else micrograph_id
    diameter_A = "" if coordinates.diameter_A is None else f"{coordinates.diameter_A:g}"
    more = zip(*(_cells(name, values) for name, values in known.items()), strict=True)
    for (x, y, score), cells in zip(
        coordinates.rows(), more if known else ((),) * len(coordinates.x_px), strict=True
    ):
        last = f"{score:.7g}" if math.isfinite(score) else ""
        table.writerow((micrograph_id, f"{x:.3f}", f"{y:.3f}", last, diameter_A, *cells))
    return tuple(known)


def _cells(name: str, values: NDArray[Any]) -> Iterator[str]:
    for value, known in zip(values.tolist(), is_known(name, values).tolist(), strict=True):
        text = f"{value:.7g}" if isinstance(value, float) else " ".join(str(value).split())
        is_formula = isinstance(value, str) and FORMULA.match(text)
        yield f" {text}" if known and is_formula else text if known else ""


def _copy_rows(
    aside: IO[str], file: IO[str], parts: Iterable[tuple[int, Sequence[str]]], names: Sequence[str]
) -> None:
    """Copy rows with a cell for each of ``names``, empty for what their micrograph does not have."""
    table, lines = csv.writer(file, lineterminator="\n"), csv.reader(aside)
    for count, own in parts:
        place = {name: len(COLUMNS) + number for number, name in enumerate(own)}
        for _ in range(count):
            row = next(lines)
            more = (row[place[name]] if name in place else "" for name in names)
            table.writerow((*row[: len(COLUMNS)], *more))


def _values(found: Sequence[TextRow], name: str) -> NDArray[Any]:
    """Return an optional column.

    Raises
    ------
    ValueError
        A value is none of it; the message names the line.
    """
    one = IN_FILES[name]
    if one.dtype.kind == "O":
        return np.array([row.cells[name] for row in found], object)
    numbers = [row.value_or_nan(name) for row in found]
    if one.dtype.kind == "f":
        return single(np.array(numbers))
    limits = np.iinfo(one.dtype)
    for row, number in zip(found, numbers, strict=True):
        if not math.isnan(number) and not (number.is_integer() and limits.min <= number <= limits.max):
            raise ValueError(f"line {row.number}: expected a whole number as {name}, found {number:g}")
    return np.array([one.missing if math.isnan(number) else int(number) for number in numbers], one.dtype)


CSV = Format(
    name="csv",
    title="CSV of cryopick",
    suffixes=(".csv",),
    looks_like=lambda head: set(COLUMNS[:3]) <= header(head, ","),
    read=read_csv,
    write=write_csv,
    holds=frozenset({"scores", "diameters", "fractions", "folders"}),
    columns=frozenset(IN_FILES),
)
