"""Text that holds numbers: lines and tables, bounded, errors with their line."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_BYTES = 2**29
"""Larger files of coordinates are refused unread: ten million particles fit."""
MAX_LINE = 2**16
"""Characters."""
NONE = "<NA>"
"""What crYOLO writes where it has no value."""


def table_text(row: str, *columns: Sequence[Any] | NDArray[Any]) -> str:
    """Return a line for each particle: ``row``, in the language of ``%``, filled from ``(n,)`` columns."""
    values = (one.tolist() if isinstance(one, np.ndarray) else one for one in columns)
    return "".join(map(f"{row}\n".__mod__, zip(*values, strict=True)))


def number_words(values: NDArray[np.floating[Any]], form: str = "%.7g", unknown: str = "") -> list[str]:
    """Return ``(n,)`` numbers as text, and ``unknown`` for those that are not finite."""
    if np.isfinite(values).all():
        return list(map(form.__mod__, values.tolist()))
    return [form % value if math.isfinite(value) else unknown for value in values.tolist()]


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text that hold something, each with its number, counted from 1."""
    with path.open(encoding="utf-8-sig") as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise ValueError(f"line {number} has more than {MAX_LINE} characters")
            if line.strip():
                yield number, line.strip(" \r\n")  # a tab may part from nothing


def numbers(words: Sequence[str], number: int) -> list[float]:
    """Return the numbers that words of a line are.

    Raises
    ------
    ValueError
        One is no finite number; the message names the line.
    """
    found = []
    for word in words:
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(f"line {number}: expected a finite number, found {word[:40]!r}")
        found.append(value)
    return found


def column(block: Mapping[str, Sequence[str]], name: str) -> NDArray[np.float64]:
    """Return a column of a STAR block as numbers; NaN where it says ``<NA>``, and where there is none.

    Raises
    ------
    ValueError
        A value is neither.
    """
    rows = len(next(iter(block.values()), ()))
    found = np.full(rows, np.nan)
    for row, word in enumerate(block.get(name, ())):
        try:
            found[row] = np.nan if word == NONE else float(word)
        except ValueError:
            raise ValueError(f"row {row + 1}: expected a number as {name}, found {word[:40]!r}") from None
    return found


@dataclass(frozen=True)
class TextRow:
    """One row of a table with a head line, and the number of its line."""

    number: int
    cells: dict[str, str]

    def value(self, column: str) -> float:
        """Return the number in a column."""
        return numbers([self.cells[column]], self.number)[0]

    def value_or_nan(self, column: str) -> float:
        """Return the number in a column; NaN where there is none."""
        return self.value(column) if self.cells.get(column, "").strip() else math.nan


def rows(path: Path, delimiter: str) -> Iterator[TextRow]:
    """Yield the rows of a table; its first line names the columns.

    Raises
    ------
    ValueError
        A row has more or fewer cells than the first line, or is too long.
    """
    numbered = lines(path)
    number, head = next(numbered, (0, ""))
    names = _cells(head, delimiter)
    for number, line in numbered:
        cells = _cells(line, delimiter)
        if len(cells) != len(names):
            raise ValueError(f"line {number} has {len(cells)} cells, expected {len(names)}: one a column")
        yield TextRow(number, dict(zip(names, cells, strict=True)))


def header(head: str, delimiter: str) -> set[str]:
    """Return the names of columns that the first line of a text may be."""
    first = next((line for line in head.splitlines() if line.strip()), "")
    return set(_cells(first.strip(), delimiter))


def first_rows(head: str) -> list[list[str]]:
    """Return the words of the whole lines of a text's beginning, comments left out."""
    whole = head.splitlines()
    return [line.split() for line in whole if line.strip() and not line.lstrip().startswith("#")][:20]


def are_numbers(words: Sequence[str]) -> bool:
    """Tell whether all words are numbers."""
    try:
        for word in words:
            float(word)
    except ValueError:
        return False
    return True


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
        return [cell.strip() for cell in cells]
    except csv.Error as error:
        raise ValueError(f"a line is no row of a table: {error}") from error
