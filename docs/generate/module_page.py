"""Where code lives: every module of the package and the command line, with its docstring's first line."""

import ast
from collections.abc import Iterator
from pathlib import Path

from generate.docstrings import first_line
from generate.markdown import code, from_docstring, page, table

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("cryopick_ray", "cli")


def modules() -> Iterator[tuple[Path, str]]:
    """Yield each module's path below the repository, and its docstring's first line; nothing is imported."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py"), key=lambda one: (one.parent, one.name)):
            yield path.relative_to(ROOT), first_line(ast.get_docstring(ast.parse(path.read_text())))


def module_pages() -> dict[str, str]:
    """Return the page of modules by room, by its file name."""
    rooms: dict[Path, list[tuple[Path, str]]] = {}
    for path, line in modules():
        rooms.setdefault(path.parent, []).append((path, line))
    text = (
        "Rooms are folders; each lists its files with the first line that they say of themselves. "
        "Imports go one way through them, which `tests/test_architecture.py` holds."
    )
    return {"modules.md": page("Modules", text, *(_room(room, found) for room, found in rooms.items()))}


def _room(room: Path, found: list[tuple[Path, str]]) -> str:
    about = next((line for path, line in found if path.name == "__init__.py"), "")
    rows = [[code(path.name), from_docstring(line)] for path, line in found if path.name != "__init__.py"]
    return "\n\n".join(
        part for part in (f"## {room}/", from_docstring(about), table(["file", ""], rows)) if part
    )
