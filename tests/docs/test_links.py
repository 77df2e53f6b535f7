"""Links lead somewhere; paths and modules in backticks are there."""

import re
from importlib.util import find_spec
from urllib.parse import urlsplit

import doc_pages
import pytest
from doc_pages import ROOT, anchors

from cryopick_ray.pickers.registry import GROUP
from generate.reference import reference

PAGES = doc_pages.page_paths()
FOLDERS = ("cryopick_ray", "cli", "tests", "cluster", "examples", "docs", ".ci")
PATH = re.compile(rf"(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./*-]*")
MODULE = re.compile(r"cryopick_ray(?:\.[a-z_]\w*)*\.?\w*")


@pytest.fixture(scope="module")
def made():
    """Pages that are made when the documentation is built, and their anchors."""
    return {
        doc_pages.GENERATED / name: set(re.findall(r"^\((\S+)\)=$", text, re.MULTILINE))
        for name, text in reference().items()
    }


def faults(link, page, made):
    """Return what is wrong with a link of a page; empty if nothing is."""
    parts = urlsplit(link)
    if parts.scheme:
        is_well_formed = parts.scheme == "https" and "." in parts.netloc and not re.search(r"\s", link)
        return "" if is_well_formed or parts.scheme == "mailto" else "is no https address"
    path = (page.parent / parts.path).resolve() if parts.path else page
    if path in made:
        return "" if not parts.fragment or parts.fragment in made[path] else "has no such anchor"
    if not path.exists():
        return "is not there"
    if ROOT not in path.parents:
        return "is outside of the repository"
    if parts.fragment and path.suffix == ".md" and parts.fragment not in anchors(path):
        return "has no such heading"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=doc_pages.name)
def test_links_lead_somewhere(page, made):
    assert {link: wrong for link in doc_pages.links(page) if (wrong := faults(link, page, made))} == {}


@pytest.mark.parametrize("page", PAGES, ids=doc_pages.name)
def test_paths_in_backticks_are_there(page):
    shown = [text.rstrip("/") for text in doc_pages.in_backticks(page) if PATH.fullmatch(text)]
    assert [text for text in shown if not list(ROOT.glob(text))] == []


@pytest.mark.parametrize("page", PAGES, ids=doc_pages.name)
def test_modules_in_backticks_are_there(page):
    shown = [text for text in doc_pages.in_backticks(page) if MODULE.fullmatch(text) and text != GROUP]
    assert [text for text in shown if not exists(text)] == []


def exists(dotted):
    """Tell whether a dotted name is a module, or something in one."""
    try:
        return find_spec(dotted) is not None
    except ModuleNotFoundError:
        inside, _, name = dotted.rpartition(".")
        return (
            bool(inside) and find_spec(inside) is not None and name in dir(__import__(inside, fromlist=["x"]))
        )
