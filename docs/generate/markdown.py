"""Markdown out of plain values and docstrings."""

import re
from collections.abc import Iterable, Sequence

_ROLE = re.compile(r":[\w:]+:`~?([^`]+)`")
_CODE = re.compile(r"(`+)(.+?)\1")


def page(title: str, *parts: str) -> str:
    """Return a page: its title, then its parts, a line free between them."""
    return "\n\n".join([f"# {title}", *(part for part in parts if part)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, its cells Markdown; empty if it has no rows."""
    lines = [f"| {' | '.join(_cell(one) for one in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines])


def code(text: object) -> str:
    """Return a word as code; nothing of an empty one."""
    return f"`{text}`" if str(text) else ""


def from_docstring(text: str) -> str:
    """Return reStructuredText of our docstrings and help as Markdown: roles become code, the rest is text."""
    plain = _ROLE.sub(lambda found: f"`{found[1]}`", text)
    whole: list[str] = []
    end = 0
    for found in _CODE.finditer(plain):
        whole += [_text(plain[end : found.start()]), f"`{found[2]}`"]
        end = found.end()
    return "".join([*whole, _text(plain[end:])])


def anchor(name: str) -> str:
    """Return a target that pages link to by ``#name``."""
    return f"({name})="


def _cell(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text.strip()).replace("|", "\\|")


def _text(text: str) -> str:
    return re.sub(r"([*<\[\]])", r"\\\1", text)
