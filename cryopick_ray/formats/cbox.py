"""crYOLO's ``.cbox`` files: a STAR file of boxes, format version 1.0, or the older rows without a head.

Boxes may be segments of filaments, in order, which a column ``filamentid`` tells.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.formats.box_size import box_sizes_px
from cryopick_ray.formats.column_names import is_known, single
from cryopick_ray.formats.coordinates import Coordinates, from_file
from cryopick_ray.formats.export_paths import complete, without_extension
from cryopick_ray.formats.filament_files import FILAMENT, numbered, tracked
from cryopick_ray.formats.format import ExportSettings, Format, Note
from cryopick_ray.formats.star_text import loop
from cryopick_ray.formats.text import (
    NONE,
    are_numbers,
    column,
    first_rows,
    lines,
    number_words,
    numbers,
    table_text,
)
from cryopick_ray.micrographs.star_blocks import read_star
from cryopick_ray.store.publish import below, write_whole

COLUMNS = (
    "CoordinateX",
    "CoordinateY",
    "CoordinateZ",
    "Width",
    "Height",
    "Depth",
    "EstWidth",
    "EstHeight",
    "Confidence",
    "NumBoxes",
    "Angle",
)
NEEDED = ("CoordinateX", "CoordinateY", "Width", "Height")
FILAMENT_ID, VERTICES = "filamentid", "filament_vertices"
HEAD = "\ndata_global\n\n_cbox_format_version 1.0\n"
TAIL = loop("cryolo_include", ("slice_index",)) + "0.000000\n"
OLD_FIELDS = 7
"""Corner, size, confidence, estimated size."""


def write_cbox(picks: Iterable[Coordinates], out: Path, settings: ExportSettings) -> None:
    """Write ``out/<micrograph without extension>.cbox``.

    Notes
    -----
    Coordinates are box corners (see :mod:`cryopick_ray.formats.box_size`) on slice 0, as in real 2-D files.
    ``Confidence`` is the picker's own score, whatever its scale. ``Width`` and ``Height`` are those of the
    box to cut out; ``EstWidth`` and ``EstHeight`` those of the box that the picker drew, else the size that
    it saw, ``<NA>`` where it tells neither.
    """
    both = False
    for name, one in complete(picks, without_extension, settings.say):
        sizes, (across, down) = box_sizes_px(one, settings.box_px), _estimated_px(one).T
        both |= {"size_px", "box_w_px"} <= one.known.keys()
        filament = one.known.get(FILAMENT)
        ids = [] if filament is None else [[f"{i}.0" if i >= 0 else NONE for i in filament]]
        corners = np.column_stack([one.x_px, one.y_px]).astype(np.float64) - sizes / 2
        rows = table_text(
            "%.6f %.6f 0.000000 %.6f %.6f %.6f %s %s %s <NA> <NA>" + " %s" * len(ids),
            *corners.T,
            *sizes.T,
            sizes.max(axis=1),
            *(number_words(side, "%.6f", NONE) for side in (across, down)),
            number_words(one.score, unknown=NONE),
            *ids,
        )
        head = HEAD + loop("cryolo", (*COLUMNS, FILAMENT_ID) if ids else COLUMNS)
        write_whole(below(out, f"{name}.cbox"), head + rows + TAIL)
    if both:
        settings.say("crYOLO cbox has room for one size of a particle: size_px of those with boxes left out")


def read_cbox(path: Path, name: str, note: Note) -> Iterator[Coordinates]:
    """Yield the particles of a file of either kind; those of a tomogram's slices are refused."""
    del note
    if any(line.startswith("data_") for _, line in lines(path)):
        yield _read_star(path, name)
        return
    rows = []
    for number, line in lines(path):
        words = line.split()
        if len(words) != OLD_FIELDS:
            raise ValueError(f"line {number} has {len(words)} fields; expected {OLD_FIELDS}, or STAR text")
        rows.append(numbers(words, number))
    x, y, width, height, score, *seen = np.reshape(rows, (-1, OLD_FIELDS)).T
    sizes, more = np.column_stack([width, height]), _more(*seen)
    yield from_file(name, x + width / 2, y + height / 2, score, sizes, more=more)


def _read_star(path: Path, name: str) -> Coordinates:
    blocks = read_star(path, (*COLUMNS, FILAMENT_ID))
    block = blocks.get("cryolo")
    if block is None or any(label not in block for label in NEEDED):
        only = "; vertices of filaments alone do not tell boxes" if VERTICES in blocks else ""
        raise ValueError(f"it has no block data_cryolo with {', '.join(NEEDED)}{only}")
    z = column(block, "CoordinateZ")
    if len(np.unique(z[np.isfinite(z)])) > 1:
        raise ValueError("its particles lie on several slices (CoordinateZ), expected one micrograph")
    x, y, width, height = (column(block, label) for label in NEEDED)
    score, *seen = (column(block, label) for label in ("Confidence", "EstWidth", "EstHeight"))
    sizes, more = np.column_stack([width, height]), _more(*seen)
    x, y = x + width / 2, y + height / 2
    filament = numbered(column(block, FILAMENT_ID))
    if (filament >= 0).any():
        more |= tracked(filament, x, y)
    return from_file(name, x, y, score, sizes, more=more)


def _more(width: NDArray[np.float64], height: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Return the sizes that crYOLO estimates, where it does."""
    sides = {"box_w_px": width, "box_h_px": height}
    return {name: single(np.where(side > 0, side, np.nan)) for name, side in sides.items()}


def _estimated_px(coordinates: Coordinates) -> NDArray[np.float32]:
    """Return the ``(n, 2)`` widths and heights that a picker estimated; NaN where none did."""
    unknown = np.full(len(coordinates.x_px), np.nan, np.float32)
    size = coordinates.more.get("size_px", unknown)
    sides = [coordinates.more.get(name, unknown) for name in ("box_w_px", "box_h_px")]
    return np.column_stack([np.where(is_known("size_px", side), side, size) for side in sides])


def _looks_like_cbox(head: str) -> bool:
    rows = first_rows(head)
    old = bool(rows) and all(len(row) == OLD_FIELDS and are_numbers(row) for row in rows)
    return old or "data_cryolo" in head or "_cbox_format_version" in head


CBOX = Format(
    name="cbox",
    title="crYOLO cbox",
    suffixes=(".cbox",),
    looks_like=_looks_like_cbox,
    read=read_cbox,
    write=write_cbox,
    holds=frozenset({"scores", "boxes", "fractions", "empty", "folders"}),
    columns=frozenset({"box_w_px", "box_h_px", "size_px", "filament"}),
)
