"""Plain text of centres: two columns, x and y, a third where the head says what it is."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from cryopick_ray.formats.coordinates import Coordinates, from_file
from cryopick_ray.formats.export_paths import complete, without_extension
from cryopick_ray.formats.format import ExportSettings, Format, Note
from cryopick_ray.formats.text import are_numbers, first_rows, lines, numbers, table_text
from cryopick_ray.store.publish import below, write_whole

SCORES = {"score", "confidence", "cc", "ccc", "fom", "probability"}


def write_plain(picks: Iterable[Coordinates], out: Path, settings: ExportSettings) -> None:
    """Write ``out/<micrograph without extension>.coords``: x and y, without a head."""
    for name, one in complete(picks, without_extension, settings.say):
        write_whole(below(out, f"{name}.coords"), table_text("%.3f %.3f", one.x_px, one.y_px))


def read_plain(path: Path, name: str, note: Note) -> Iterator[Coordinates]:
    """Yield the particles of a file; words are parted by blanks, commas or semicolons."""
    rows: list[list[float]] = []
    scored = False
    for number, line in lines(path):
        if line.startswith("#"):
            continue
        words = _words(line)
        if not rows and not are_numbers(words):
            scored = len(words) == 3 and words[2].lower() in SCORES
            continue
        if len(words) not in (2, 3) or len(words) != len(rows[0] if rows else words):
            expected = len(rows[0]) if rows else "2 or 3"
            raise ValueError(f"line {number} has {len(words)} fields; expected {expected}")
        rows.append(numbers(words, number))
    table = np.reshape(rows, (len(rows), -1)) if rows else np.empty((0, 2))
    if table.shape[1] == 3 and not scored:
        note(f"{path.name}: what its third column is, its head does not say: left out")
    yield from_file(name, table[:, 0], table[:, 1], table[:, 2] if scored and rows else None)


def _words(line: str) -> list[str]:
    return re.split(r"\s*[,;]\s*|\s+", line)


def _looks_like_plain(head: str) -> bool:
    lines = [_words(" ".join(row)) for row in first_rows(head)]
    rows = lines if lines and are_numbers(lines[0]) else lines[1:]
    return bool(rows) and all(len(row) == len(lines[0]) in (2, 3) and are_numbers(row) for row in rows)


PLAIN = Format(
    name="coords",
    title="plain text",
    suffixes=(".coords", ".coord", ".xy", ".txt", ".csv"),
    looks_like=_looks_like_plain,
    read=read_plain,
    write=write_plain,
    holds=frozenset({"fractions", "empty", "folders"}),
    is_marked=False,
)
