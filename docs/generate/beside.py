"""Markdown that lies beside the code: pages link to it where it lies, and the documentation holds it, too."""

import os
import re
from pathlib import Path

from generate.markdown import page

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
BESIDE = DOCS / "reference" / "beside"
FIRST = "CONTRIBUTING.md"
_LINK = re.compile(r"\]\(([^()\s#]+)(#[^()\s]*)?\)")


def page_of(path: Path) -> Path:
    """Return which page of the documentation holds a Markdown file."""
    return path if DOCS in path.parents else BESIDE / path.relative_to(ROOT)


def moved(text: str, path: Path) -> str:
    """Return the text of a Markdown file as its page has it: links lead where they led."""

    def lead(found: re.Match[str]) -> str:
        target = (path.parent / found[1]).resolve()
        if not target.is_file():  # an address, or a page that is made from the code
            return found[0]
        target = page_of(target) if target.suffix == ".md" else target
        return f"]({os.path.relpath(target, page_of(path).parent)}{found[2] or ''})"

    return _LINK.sub(lead, text)


def beside_pages() -> dict[str, str]:
    """Return the pages of all that the documentation links to outside of it, by path below the reference."""
    written = (path for path in DOCS.rglob("*.md") if not {"_build", "reference"} & {*path.parts})
    waiting = {ROOT / FIRST}.union(*map(_linked, written))
    texts: dict[Path, str] = {}
    while waiting:
        path = waiting.pop()
        texts[path] = moved(path.read_text(), path)
        waiting |= _linked(path) - texts.keys()
    names = sorted(path.relative_to(ROOT).as_posix() for path in texts)
    entries = "\n".join(
        ["```{toctree}", ":maxdepth: 1", *(f"beside/{name}" for name in names if name != FIRST), "```"]
    )
    pages = {f"beside/{path.relative_to(ROOT).as_posix()}": text for path, text in texts.items()}
    return {
        "beside.md": page("Beside the code", "What folders of the sources say of themselves.", entries)
    } | pages


def _linked(path: Path) -> set[Path]:
    """Return the Markdown files outside of the documentation that a file links to."""
    targets = {(path.parent / found[1]).resolve() for found in _LINK.finditer(path.read_text())}
    return {one for one in targets if one.suffix == ".md" and one.is_file() and page_of(one) != one}
