"""Files of decisions: CSV that people read, write by hand and put together by ``cat``."""

import csv
import io
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import get_args

from cryopick_ray.errors import UsageError, brief
from cryopick_ray.passes.decisions import OF_DISCS, OF_MICROGRAPHS, Action, Decision

HEAD = ("micrograph_id", "action", "x_px", "y_px", "radius_px", "by", "at")
EARLIER_HEAD = HEAD[:4]
MOST_BYTES = 2**27
"""Of all files together."""
MOST_PX = 2.0**24
"""From here on float32 does not tell neighbouring pixels apart; no micrograph is as large."""
LARGEST_RADIUS_PX = 2.0**15
LONGEST_NAME = 64
LAST_YEAR = 2999
OF_CLASSES = ".classes.csv"
"""Ending of other files that may lie in a folder of decisions."""
ACTIONS: tuple[Action, ...] = get_args(Action)
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_NOT_IN_NAMES = re.compile(r"[,\x00-\x1f\x7f-\x9f\u2028\u2029]")
Numbered = tuple[int, Decision]
"""A decision and its place among those of its call in a file."""


def read_rows(paths: Iterable[Path]) -> list[Decision]:
    """Return the decisions in files, and in all CSV files of folders, each once, in the order they count in.

    That is by time, by person, and by place in their file; the order of the files does not matter. A file's
    head is ``micrograph_id,action,x_px,y_px,radius_px,by,at``, or the first four of it, as earlier versions
    have it: what those add is added after all that they remove.

    Raises
    ------
    UsageError
        Naming the line that cannot be read, and what was expected.
    """
    files = files_of(paths)
    if (total := sum(map(_size, files))) > MOST_BYTES:
        raise UsageError(f"`curation` {files[0]}, ... have {total} bytes, expected {MOST_BYTES} at most")
    return in_order(row for path in files for row in read_numbered(path))


def files_of(paths: Iterable[Path]) -> list[Path]:
    """Return the files, and the CSV files of the folders, that paths name."""
    found: dict[Path, None] = {}
    for path in paths:
        try:
            own = sorted(filter(_holds_decisions, path.iterdir())) if path.is_dir() else [path]
        except OSError as error:
            raise _unreadable(path, error) from error
        found |= dict.fromkeys(own)
    return list(found)


def in_order(rows: Iterable[Numbered]) -> list[Decision]:
    """Return each decision once, by time, person, place in their file (the last one) and content."""
    last: dict[Decision, int] = {}
    for number, row in rows:
        last[row] = max(number, last.get(row, number))
    return sorted(last, key=lambda row: (row.at, row.by, last[row], row.micrograph_id, row.action, row.disc))


def read_numbered(path: Path) -> Iterator[Numbered]:
    """Yield the decisions in a file; each head in it begins another file, as ``cat`` joins them."""
    _size(path)
    part: list[Decision] = []
    width = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            for values in rows:
                where = f"`curation` {path}, line {rows.line_num}"
                if head := _head(values):
                    yield from _placed(part, width)
                    width, part = len(head), []
                elif not width:
                    break
                elif any(values[width:]):
                    raise UsageError(f"{where}: {len(values)} values, expected {width} as in the head")
                elif values:
                    part.append(decision(values[:width], where))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, error) from error
    if not width:
        raise UsageError(f"`curation` {path}: expected {','.join(HEAD)} as its first line")
    yield from _placed(part, width)


def numbered(rows: Iterable[Decision]) -> Iterator[Numbered]:
    """Yield the decisions of a file, each with its place among those of its call."""
    seen: Counter[tuple[str, str]] = Counter()
    for row in rows:
        yield seen[row.call], row
        seen[row.call] += 1


def text_of(rows: Iterable[Decision]) -> str:
    """Return the text of a file of decisions."""
    file = io.StringIO()
    plain = csv.writer(file, lineterminator="\n")
    quoted = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
    plain.writerow(HEAD)
    for row in rows:  # a bare return in a name would end its line
        (quoted if "\r" in row.micrograph_id else plain).writerow(fields(row))
    return file.getvalue()


def is_name(text: str) -> bool:
    """Tell whether a text can be the name of a person who decides."""
    return len(text) <= LONGEST_NAME and not _NOT_IN_NAMES.search(text)


def _placed(part: Sequence[Decision], width: int) -> Iterable[Numbered]:
    """Return the decisions below a head of so many columns."""
    if width == len(EARLIER_HEAD):
        return [(int(row.action == "add"), row) for row in part]
    return numbered(part)


def _holds_decisions(path: Path) -> bool:
    return path.suffix == ".csv" and not path.name.startswith(".") and not path.name.endswith(OF_CLASSES)


def _size(path: Path) -> int:
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
        raise UsageError(f"`curation` {path} is no plain file; expected a CSV file or a folder of such")
    if status.st_size > MOST_BYTES:
        raise UsageError(f"`curation` {path} has {status.st_size} bytes, expected at most {MOST_BYTES}")
    return status.st_size


def _unreadable(path: Path, error: Exception) -> UsageError:
    return UsageError(f"`curation` {path} cannot be read: {brief(error)}")


def _head(values: Sequence[str]) -> tuple[str, ...]:
    """Return the head that a line is, with or without a mark of the encoding; empty if it is none."""
    found = (values[0].lstrip("\ufeff"), *values[1:]) if values else ()
    return found if found in (HEAD, EARLIER_HEAD) else ()


def decision(values: Sequence[str], where: str) -> Decision:
    """Return the decision of a line, of which the last values may be missing.

    Raises
    ------
    UsageError
        Saying ``where`` something else stands than was expected.
    """
    name, action, x_px, y_px, radius_px, by, at = [*values, *[""] * len(HEAD)][: len(HEAD)]
    if (kind := next((listed for listed in ACTIONS if listed == action), None)) is None:
        raise UsageError(f"{where}: action is {brief(action)}, expected one of {', '.join(ACTIONS)}")
    if not is_name(by):
        raise UsageError(f"{where}: by is {brief(by)}, expected at most {LONGEST_NAME} characters, no comma")
    if at and not _is_time(at):
        raise UsageError(f"{where}: at is {brief(at)}, expected UTC as 2026-11-30T10:00:00.123Z")
    if kind in OF_MICROGRAPHS:
        return Decision(name, kind, by=by, at=at)
    x, y, radius = map(_number, (x_px, y_px, radius_px))
    if x is None or y is None or max(abs(x), abs(y)) >= MOST_PX:
        raise UsageError(f"{where}: x_px, y_px are {brief(f'{x_px}, {y_px}')}, expected two numbers")
    if kind not in OF_DISCS:
        return Decision(name, kind, x, y, by=by, at=at)
    if radius is None or not 0 < radius <= LARGEST_RADIUS_PX:
        raise UsageError(
            f"{where}: radius_px is {brief(radius_px)}, expected a number above 0, at most "
            f"{LARGEST_RADIUS_PX:g}"
        )
    return Decision(name, kind, x, y, radius, by, at)


def _number(text: str) -> float | None:
    with suppress(ValueError):
        return value if isfinite(value := float(text)) else None
    return None


def _is_time(text: str) -> bool:
    if not _AT.fullmatch(text):
        return False
    with suppress(ValueError):
        return datetime.fromisoformat(text).year <= LAST_YEAR
    return False


def fields(row: Decision) -> tuple[str, ...]:
    """Return the values of a decision's line."""
    place = () if row.action in OF_MICROGRAPHS else (row.x_px, row.y_px)
    numbers = [_text(number) for number in (*place, *([row.radius_px] if row.action in OF_DISCS else []))]
    return row.micrograph_id, row.action, *[*numbers, "", "", ""][:3], row.by, row.at


def _text(number: float) -> str:
    return repr(float(number)).removesuffix(".0")
