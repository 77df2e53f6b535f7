"""Parsing of STAR files: blocks of columns, their values as text."""

import re
from collections.abc import Collection, Iterable
from pathlib import Path

MAX_BYTES = 2**29
MAX_BLOCKS = 2**10
"""RELION writes one for each of its classes."""
MAX_LABELS = 2**13
MAX_LINE = 2**16
"""Characters; RELION's longest lines list the aberrations of an optics group."""
MAX_WORDS = 2**26
"""A million particles with all that RELION knows of them have half as many."""
AT_ONCE = 2**12
PEEKED = 2**20

BLANKS = " \t\v\f\r\n"
WORD = re.compile(
    r"""[ \t\v\f\r\n]*(?:
    "(?P<double>.*?)(?<!\a)"(?![^ \t\v\f\r\n]) |
    '(?P<single>.*?)(?<!\a)'(?![^ \t\v\f\r\n]) |
    (?P<other>["'\#]) |
    (?P<plain>[^ \t\v\f\r\n]+))""",
    re.VERBOSE,
)
"""A quote opens only at the start of a word and closes only at its end; ``\\a`` marks one inside."""
SYNTAX = re.compile(r"data_|loop_(?![^ \t\v\f\r\n])", re.IGNORECASE)

Block = dict[str, list[str]]
"""A block's columns, all of one length; of a block without a loop one value each."""


def read_star(
    path: Path, columns: Collection[str] | None = None, whole: Collection[str] = ()
) -> dict[str, Block]:
    r"""Return the blocks of a STAR file by name, ``""`` for a bare ``data_``.

    Words are separated by blanks, ``#`` begins a comment only at the start of a word. Rows may have comments
    and empty lines between them. A block that comes again with the same columns goes on; text before
    the first block is skipped, as RELION does. What is a number is for the reader of a column to say.

    Parameters
    ----------
    columns
        Those to keep, of any block; all where ``None``.
    whole
        Blocks of which all columns are kept.

    Raises
    ------
    OSError
        It cannot be opened.
    ValueError
        It is no STAR text, or too large; the message names the line.
    """
    size = path.stat().st_size
    if size > MAX_BYTES or not path.is_file():
        raise ValueError(f"it has {size} bytes; expected a file of at most {MAX_BYTES}")
    with path.open(encoding="utf-8-sig") as lines:
        return _Parser(columns, whole).read(lines)


def peek_star(path: Path) -> dict[str, Block]:
    """Return the blocks in the first mebibyte of a STAR file; nothing if it is none."""
    try:
        with path.open("rb") as file:
            begin = file.read(PEEKED)
        lines = begin.decode("utf-8-sig", errors="ignore").splitlines(keepends=True)
        return _Parser(None, ()).read(lines[:-1] if len(begin) == PEEKED else lines)
    except (OSError, ValueError):
        return {}


class _Parser:
    """Blocks as far as they have been read."""

    def __init__(self, columns: Collection[str] | None, whole: Collection[str]) -> None:
        self._wanted, self._whole = columns, whole
        self._blocks: dict[str, Block] = {}
        self._labels_seen = self._words_kept = self._begun = 0
        self._begin(None)

    def read(self, lines: Iterable[str]) -> dict[str, Block]:
        number = 0
        try:
            for line in lines:
                number += 1
                words = _words(line)
                if not words:
                    self._is_parted |= not line.strip()
                elif self._is_row(words, line):
                    self._add_row(words)
                else:
                    self._add_syntax(words, line.lstrip(BLANKS))
            self._end()
        except UnicodeDecodeError as error:
            raise ValueError(f"after line {number} it is no UTF-8 ({error.reason})") from error
        except ValueError as error:
            raise ValueError(f"line {number} {error}") from error
        return self._blocks

    def _begin(self, name: str | None) -> None:
        """Begin a block; ``None`` for what comes before the first."""
        self._name = name
        self._labels: list[str] = []
        self._rows: list[list[str]] = []
        self._block: Block = {}
        self._is_loop = self._has_rows = self._is_parted = False
        self._begun += 1
        if self._begun > MAX_BLOCKS + 1:
            raise ValueError(f"begins block {MAX_BLOCKS + 1}, expected at most {MAX_BLOCKS}")

    def _is_row(self, words: list[str], line: str) -> bool:
        """Tell whether a line of a loop is a row, which may begin as syntax does: RELION reads it so."""
        if not (self._is_loop and self._labels):
            return False
        line = line.lstrip(BLANKS)
        if line[0] == "_":
            return self._has_rows and not self._is_parted
        return len(words) > 1 or SYNTAX.match(line) is None

    def _add_row(self, words: list[str]) -> None:
        if len(words) != len(self._labels):
            raise ValueError(
                f"has {len(words)} words, expected {len(self._labels)}: one for each label of {self._title}"
            )
        self._has_rows, self._is_parted = True, False
        self._rows.append(words)
        if len(self._rows) == AT_ONCE:
            self._keep_rows()

    def _add_syntax(self, words: list[str], line: str) -> None:
        kind = line[:5].lower()
        if len(words) == 1 and kind == "data_":
            self._end()
            self._begin(words[0][5:])
        elif self._name is None:
            return
        elif len(words) == 1 and SYNTAX.match(line):
            if self._is_loop or self._labels:
                raise ValueError(f"begins a loop where {self._title} has one, or values, already")
            self._is_loop = True
        elif kind[0] == "_" and not self._has_rows:
            self._add_label(words[0][1:], words[1:])
        else:
            raise ValueError("is no block, label or row")

    def _add_label(self, label: str, values: list[str]) -> None:
        self._labels_seen += 1
        if self._labels_seen > MAX_LABELS:
            raise ValueError(f"has label {MAX_LABELS + 1}, expected at most {MAX_LABELS}")
        if label in self._labels:
            raise ValueError(f"repeats {label} in {self._title}, expected each label once")
        if not self._is_loop:
            if len(values) > 1:
                raise ValueError(f"gives {label} {len(values)} values, expected one")
            self._rows = [[*(self._rows[0] if self._rows else []), *(values or [""])]]
        self._labels.append(label)

    def _keep_rows(self) -> None:
        wanted = None if self._name in self._whole else self._wanted
        kept = {label for label in self._labels if wanted is None or label in wanted}
        self._words_kept += len(kept) * len(self._rows)
        if self._words_kept > MAX_WORDS:
            raise ValueError(f"has word {MAX_WORDS + 1}, expected at most {MAX_WORDS}")
        columns = zip(*self._rows, strict=True) if self._rows else [()] * len(self._labels)
        for label, values in zip(self._labels, columns, strict=True):
            if label in kept:
                self._block.setdefault(label, []).extend(values)
        self._rows = []

    def _end(self) -> None:
        """Put the block to the others."""
        if self._name is None:
            return
        self._keep_rows()
        earlier = self._blocks.setdefault(self._name, self._block)
        if earlier is self._block:
            return
        if list(earlier) != list(self._block):
            raise ValueError(f"ends a second {self._title}, of other columns than the first")
        for label, values in self._block.items():
            earlier[label] += values

    @property
    def _title(self) -> str:
        return f"data_{self._name}"


def _words(line: str) -> list[str]:
    if len(line) > MAX_LINE:
        raise ValueError(f"has {len(line)} characters, expected at most {MAX_LINE}")
    if line.isascii() and not ('"' in line or "'" in line or "#" in line):
        return line.split()
    words = []
    end = 0
    while found := WORD.match(line, end):
        if found["other"] == "#":
            break
        if found["other"]:
            raise ValueError(f"opens a quote ({found['other']}) that it does not close")
        quoted = found["double"] if found["single"] is None else found["single"]
        words.append(found["plain"] if quoted is None else quoted.replace("\a", ""))
        end = found.end()
    return words
