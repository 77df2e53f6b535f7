"""csv of the VGG Image Annotator: shapes that people drew on pictures, many pictures in one file."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cryopick_ray.errors import brief
from cryopick_ray.formats.box_size import diameters_px
from cryopick_ray.formats.coordinates import Coordinates, by_micrograph, from_file
from cryopick_ray.formats.export_paths import complete, relative_path
from cryopick_ray.formats.format import ExportSettings, Format, Note
from cryopick_ray.formats.text import TextRow, header, numbers, rows
from cryopick_ray.store.publish import published

NAME, SHAPE = "filename", "region_shape_attributes"
COLUMNS = (NAME, "file_size", "file_attributes", "region_count", "region_id", SHAPE, "region_attributes")
PLACES = {
    "circle": ("cx", "cy", "r", "r"),
    "ellipse": ("cx", "cy", "rx", "ry"),
    "point": ("cx", "cy"),
    "rect": ("x", "y", "width", "height"),
}


def write_via(picks: Iterable[Coordinates], out: Path, settings: ExportSettings) -> None:
    """Write ``out/via.csv``: a circle around every particle."""
    with published(out / "via.csv") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for path, one in complete(picks, relative_path, settings.say):
            circles = list(zip(one.rows(), diameters_px(one, settings.box_px), strict=True))
            for number, ((x, y, _), size) in enumerate(circles):
                shape = {"name": "circle", "cx": round(x, 3), "cy": round(y, 3), "r": round(size / 2, 3)}
                table.writerow((path, -1, "{}", len(circles), number, json.dumps(shape), "{}"))
            if not circles:
                table.writerow((path, -1, "{}", 0, 0, "{}", "{}"))


def read_via(path: Path, name: str, note: Note) -> Iterator[Coordinates]:
    """Yield the pictures of a file; of one without regions no particles."""
    del name, note
    found, named = [], dict[str, None]()
    for row in rows(path, ","):
        named[row.cells[NAME]] = None
        if (place := _place(row)) is not None:
            found.append((row.cells[NAME], *place))
    if found:
        yield from by_micrograph(*zip(*found, strict=True))
    for empty in named.keys() - {one[0] for one in found}:
        yield from_file(empty, [], [])


def _place(row: TextRow) -> tuple[float, float, float, tuple[float, float]] | None:
    try:
        shape: Any = json.loads(row.cells[SHAPE] or "{}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"line {row.number}: {SHAPE} is no JSON: {brief(error)}") from error
    if shape == {}:
        return None
    kind = shape.get("name") if isinstance(shape, dict) else None
    if kind not in PLACES or any(key not in shape for key in PLACES[kind]):
        raise ValueError(f"line {row.number}: expected a {', '.join(PLACES)}, found {brief(shape)}")
    x, y, *size = numbers([str(shape[key]) for key in PLACES[kind]], row.number)
    width, height = size or (0.0, 0.0)
    if kind == "rect":
        return x + width / 2, y + height / 2, float("nan"), (width, height)
    return x, y, float("nan"), (2 * width, 2 * height)


VIA = Format(
    name="via",
    title="VIA csv",
    suffixes=(".csv",),
    looks_like=lambda head: {NAME, SHAPE} <= header(head, ","),
    read=read_via,
    write=write_via,
    holds=frozenset({"boxes", "fractions", "empty", "folders"}),
)
