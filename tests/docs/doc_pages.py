"""Pages of the documentation, taken apart: fenced blocks, words in backticks, links, headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ROOT / "docs" / "reference"
FRONT_MATTER = re.compile(r"\A---\n(.*?\n)---\n", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: where it is, its language, what is in it."""

    place: str
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that its first line, a comment, names; ``None`` if it names none."""
        found = re.match(r"# ([\w./-]+\.(?:py|yaml|csv|star|txt))\n", self.text)
        return found and found[1]


def page_paths() -> list[Path]:
    """Return every page that people write."""
    docs = (path for path in (ROOT / "docs").rglob("*.md") if GENERATED not in path.parents)
    built = ROOT / "docs" / "_build"
    roots = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "cluster/README.md")]
    return sorted([*filter(Path.is_file, roots), *(path for path in docs if built not in path.parents)])


def name(path: Path) -> str:
    """Return a page's path below the repository."""
    return path.relative_to(ROOT).as_posix()


def runs(page: Path) -> bool:
    """Tell whether a page's front matter asks for its commands to be executed."""
    front = FRONT_MATTER.match(page.read_text())
    return bool(front and (yaml.safe_load(front[1]) or {}).get("run"))


def blocks(page: Path) -> list[Block]:
    """Return a page's fenced blocks, in order."""
    return [
        Block(f"{name(page)}:{token.map[0] + 1}", token.info.split()[0] if token.info else "", token.content)
        for token in _tokens(page)
        if token.type == "fence" and token.map
    ]


def indented(page: Path) -> list[str]:
    """Return blocks that are code by four spaces alone."""
    return [token.content for token in _tokens(page) if token.type == "code_block"]


def in_backticks(page: Path) -> Iterator[str]:
    """Yield what stands in backticks within text."""
    return (one.content for one in _inline(page) if one.type == "code_inline")


def links(page: Path) -> Iterator[str]:
    """Yield where links and pictures lead."""
    for one in _inline(page):
        if target := one.attrGet("href") or one.attrGet("src"):
            yield str(target)


@cache
def anchors(page: Path) -> set[str]:
    """Return what ``#`` may name: slugs of headings, as GitHub and MyST make them."""
    tokens = _tokens(page)
    texts = [after.content for one, after in pairwise(tokens) if one.type == "heading_open"]
    return {
        re.sub(r"[^\w\- ]", "", text.replace("`", "").lower()).strip().replace(" ", "-") for text in texts
    }


@cache
def _tokens(page: Path) -> list[Token]:
    text = page.read_text()
    front = FRONT_MATTER.match(text)
    body = "\n" * front[0].count("\n") + text[front.end() :] if front else text
    return MarkdownIt("commonmark").enable("table").parse(body)


def _inline(page: Path) -> Iterator[Token]:
    for one in _tokens(page):
        yield from one.children or ()
