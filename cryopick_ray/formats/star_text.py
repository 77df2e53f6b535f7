"""STAR text: loops and names as RELION reads them."""

import re
import unicodedata
from collections.abc import Iterable

from cryopick_ray.errors import PicksError

PLAIN = re.compile(r"(?!_|data_|loop_|save_|global_|stop_)[^\s\"'#<][^\s#]*", re.IGNORECASE)
"""Names that every STAR reader takes as they stand."""


def loop(block: str, columns: Iterable[str]) -> str:
    """Return the head of a loop block; its rows follow, one a line, until an empty line."""
    labels = "".join(f"_{column} #{number}\n" for number, column in enumerate(columns, 1))
    return f"\ndata_{block}\n\nloop_\n{labels}"


def quoted(name: str) -> str:
    r"""Return ``name`` as one STAR word: in double quotes if it has blanks or looks like syntax.

    A double quote that could be taken for the closing one gets RELION's mark, a ``\a`` before it
    (``escapeStringForSTAR``). The starfile package reads every name back but those with quotes in them.

    Raises
    ------
    PicksError
        The name has a control character, which no STAR word can hold.
    """
    if any(unicodedata.category(letter) == "Cc" for letter in name):
        raise PicksError(
            f"name {name!r} has a control character, expected printable text: rename the micrograph"
        )
    if PLAIN.fullmatch(name):
        return name
    return '"' + re.sub(r'"(?=[ \t]|$)', '\a"', name) + '"'
