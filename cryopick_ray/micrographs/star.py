"""STAR files, looked through before the library reads them line by line."""

import tokenize
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cryopick_ray.errors import brief

if TYPE_CHECKING:  # half a second that only STAR files need
    import pandas as pd

MAX_BLOCKS = 2**10
"""Each makes a table, which takes milliseconds; RELION writes one for each of its classes."""
MAX_LABELS = 2**13
MAX_LINE = 2**14
"""Characters; the library cuts a line into words in time that grows with its square."""


def read_star(path: Path, words: Sequence[str]) -> "dict[str, pd.DataFrame]":
    """Return the blocks of a STAR file as tables; one without a loop has one row.

    Parameters
    ----------
    words
        Columns that stay as they are written, even if all their values are numbers.

    Raises
    ------
    Exception
        What is wrong with it; the parser meets a damaged file with whatever its parts raise.
    """
    import pandas as pd
    import starfile

    _check(path)
    return {
        name: block if isinstance(block, pd.DataFrame) else pd.DataFrame([block])
        for name, block in starfile.read(path, always_dict=True, parse_as_string=list(words)).items()
    }


def _check(path: Path) -> None:
    try:
        with path.open("rb") as file:  # as the library does: a comment may name another
            encoding, _ = tokenize.detect_encoding(file.readline)
    except SyntaxError as error:
        raise ValueError(f"its first lines are no UTF-8: {brief(error)}") from error
    if encoding not in ("utf-8", "utf-8-sig"):
        raise ValueError(f"it is in {encoding}, expected UTF-8")
    blocks = labels = longest = 0
    for line in path.read_text(encoding="utf-8").split("\n"):  # one that is no UTF-8 would be read as empty
        word = line.lstrip()[:5]
        blocks += word == "data_"
        labels += word[:1] == "_"
        longest = max(longest, len(line))
    if blocks > MAX_BLOCKS or labels > MAX_LABELS or longest > MAX_LINE:
        raise ValueError(
            f"it has {blocks} blocks, {labels} labels and lines of up to {longest} characters; expected at "
            f"most {MAX_BLOCKS}, {MAX_LABELS} and {MAX_LINE}"
        )
