"""EMAN ``.box`` files: one line a particle, corner and size in pixels."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from cryopick_ray.formats.box_size import box_sizes_px
from cryopick_ray.formats.coordinates import Coordinates, from_file
from cryopick_ray.formats.eman_helix import END, HELIX, START, read_box_ends, read_box_segments
from cryopick_ray.formats.export_paths import complete, without_extension
from cryopick_ray.formats.format import ExportSettings, Format, Note
from cryopick_ray.formats.text import are_numbers, first_rows, lines, number_words, numbers, table_text
from cryopick_ray.store.publish import below, write_whole

BY_HAND = {-3.0}
"""What EMAN's boxer writes where a score could stand."""


def write_box(picks: Iterable[Coordinates], out: Path, settings: ExportSettings) -> None:
    """Write ``out/<micrograph without extension>.box``, which RELION matches to its micrograph.

    Notes
    -----
    Columns are corner x, corner y, width, height (see :mod:`cryopick_ray.formats.box_size`) and, where there
    is one, the score. Corners are whole: RELION cuts fractions off, and Topaz stops on them.
    """
    for name, one in complete(picks, without_extension, settings.say):
        sizes = box_sizes_px(one, settings.box_px)
        corners = np.rint(np.column_stack([one.x_px, one.y_px]) - sizes / 2)
        text = table_text(
            "%d\t%d\t%d\t%d%s", *corners.astype(int).T, *sizes.T, number_words(one.score, "\t%.7g")
        )
        write_whole(below(out, f"{name}.box"), text)


def read_box(path: Path, name: str, note: Note) -> Iterator[Coordinates]:
    """Yield the particles of a file; of a size of 0 the corner is the centre.

    One of helices holds their segments or, where the fifth column says so, their ends.
    """
    del note
    if any(line.startswith(HELIX) for _, line in lines(path)):
        yield from read_box_segments(name, lines(path))
        return
    rows, scores = [], []
    for number, line in lines(path):
        words = line.split()
        if not 4 <= len(words) <= 5:
            raise ValueError(f"line {number} has {len(words)} fields; expected corner x, y, size, score")
        row = numbers(words, number)
        if min(row[2:4]) < 0:
            raise ValueError(f"line {number}: a box of {row[2]} x {row[3]} px; expected a size of at least 0")
        rows.append(row[:4])
        scores.append(row[4] if len(row) > 4 else np.nan)
    if rows and set(scores) <= {START, END}:
        yield from read_box_ends(name, rows, scores)
        return
    x, y, width, height = np.reshape(rows, (-1, 4)).T
    score = np.where(np.isin(scores, [*BY_HAND]).all(), np.nan, scores)
    yield from_file(name, x + width / 2, y + height / 2, score, np.column_stack([width, height]))


def _looks_like_box(head: str) -> bool:
    rows = first_rows(head)
    are_boxes = bool(rows) and all(len(row) in (4, 5) and are_numbers(row) for row in rows)
    return are_boxes or HELIX in head


BOX = Format(
    name="box",
    title="EMAN box",
    suffixes=(".box",),
    looks_like=_looks_like_box,
    read=read_box,
    write=write_box,
    holds=frozenset({"scores", "boxes", "empty", "folders"}),
    is_marked=False,
    endings=("_manualpick", "_autopick"),
)
