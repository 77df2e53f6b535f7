"""STAR text: loops and names that RELION and the starfile package read back as they are."""

import re
import unicodedata
from collections.abc import Iterable

from cryopick_ray.errors import PicksError

PLAIN = re.compile(r"(?!_|data_|loop_|save_|global_|stop_)[^\s\"'#<][^\s#]*", re.IGNORECASE)
"""Words that need no quotes for any STAR reader."""
NO_NAME = re.compile(r"['\"]|^[_#;]|  |^(?:nan|NaN|<NA>)$")
"""Names that starfile, or RELION in its own files, misreads."""


def loop(block: str, columns: Iterable[str]) -> str:
    """Return the head of a loop block; its rows follow, one a line, until an empty line."""
    labels = "".join(f"_{column} #{number}\n" for number, column in enumerate(columns, 1))
    return f"\ndata_{block}\n\nloop_\n{labels}"


def quoted(name: str) -> str:
    """Return a name as one STAR word: in double quotes if it has blanks or looks like syntax.

    Topaz reads no quotes, and so no table with blanks in its names.

    Raises
    ------
    PicksError
        No STAR word can hold it (control characters), starfile reads another one (it takes an apostrophe
        for a quote), or RELION does (it takes quotes off, and the first letter for syntax or blanks for one).
    """
    if found := NO_NAME.search(name):
        raise PicksError(
            f"name {name!r} has {found[0]!r} where programs that read STAR files take it for something else: "
            "rename the micrograph"
        )
    return word(name)


def word(text: str) -> str:
    """Return a text as one STAR word that RELION reads back.

    Raises
    ------
    PicksError
        There is none: it has control characters, or quotes of both kinds.
    """
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        raise PicksError(f"name {text!r} has a control character, expected printable text: rename it")
    if PLAIN.fullmatch(text):
        return text
    quote = next((mark for mark in "\"'" if mark not in text), None)
    if quote is None:
        raise PicksError(f"name {text!r} has quotes of both kinds, expected one at most: rename it")
    return f"{quote}{text}{quote}"
