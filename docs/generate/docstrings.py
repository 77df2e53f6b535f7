"""What docstrings say: first lines, and the meanings of a class's attributes."""

import inspect
import re
from typing import Any

_SECTION = re.compile(r"^Attributes\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}\n|\Z)", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"^(\S[^\n:]*)(?: : [^\n]*)?\n((?:^[ \t]+[^\n]*\n?|^\n)+)", re.MULTILINE)


def first_line(text: str | None) -> str:
    """Return a docstring's first line."""
    return (text or "").strip().partition("\n")[0]


def summary(text: str | None) -> str:
    """Return what stands before the first section of a docstring."""
    return re.split(r"\n[^\n]+\n-{3,}\n", inspect.cleandoc(text or ""))[0].strip()


def attributes(kind: type[Any]) -> dict[str, str]:
    """Return the meanings of the attributes that the docstrings of a class and its bases tell.

    Those that share an entry (``epochs, steps``) share its meaning.
    """
    told: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        section = _SECTION.search(inspect.cleandoc(one.__doc__ or "") + "\n")
        for names, meaning in _ENTRY.findall(section[1] if section else ""):
            told |= dict.fromkeys(re.split(r",\s*", names.strip()), " ".join(meaning.split()))
    return told
