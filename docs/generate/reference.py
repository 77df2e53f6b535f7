"""All pages of the reference, and writing them."""

from collections.abc import Mapping
from pathlib import Path

from generate.api_page import api_pages
from generate.beside import beside_pages
from generate.command_pages import command_pages
from generate.markdown import page
from generate.model_page import model_pages
from generate.module_page import module_pages
from generate.settings_pages import settings_pages
from generate.table_pages import table_pages


def reference() -> dict[str, str]:
    """Return every page by its path below the reference, the first of which lists the others."""
    pages = command_pages() | settings_pages() | table_pages() | model_pages() | api_pages() | module_pages()
    pages |= beside_pages()
    names = [name.removesuffix(".md") for name in pages if "/" not in name]
    entries = "\n".join(["```{toctree}", ":maxdepth: 1", *names, "```"])
    return {
        "index.md": page("Reference", "Made from the code, each time that these pages are built.", entries)
    } | pages


def write(pages: Mapping[str, str], folder: Path) -> None:
    """Let a folder hold these pages and no others; what is as it was stays untouched, for quick builds."""
    for path in folder.rglob("*.md"):
        if path.relative_to(folder).as_posix() not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.is_file() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
