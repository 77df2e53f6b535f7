"""Tutorials run as they are read; so does every Python block; every YAML block parses."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import doc_pages
import pytest
import yaml
from doc_pages import ROOT, Block
from shell_words import steps

pytestmark = pytest.mark.timeout(1000)  # a page is a row of commands
PAGES = doc_pages.page_paths()
TUTORIALS = [page for page in PAGES if doc_pages.runs(page)]
OTHERS = [page for page in PAGES if page not in TUTORIALS and page.name != "README.md"]
QUICK = {"CRYOPICK_ENGINE": "serial", "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "200"}
"""No Ray, no second thread: what a page shows does not depend on them."""
INSTALLED = Path(sys.executable).parent
AS_INSTALLED = "docs/tutorials/filaments.md"
"""Its commands start as a reader's do; those of other pages need not load the libraries anew."""


def python_blocks(page: Path) -> list[Block]:
    return [one for one in doc_pages.blocks(page) if one.language == "python" and not one.file]


def execute(command: list[str], folder: Path, place: str, programs: Path = INSTALLED) -> str:
    """Run a command in a page's folder and return what it prints; it must succeed."""
    path = os.pathsep.join(map(str, [programs, INSTALLED, os.environ["PATH"]]))
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | QUICK | {"PATH": path},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        timeout=900,
    )
    assert done.returncode == 0, f"{place}: exit status {done.returncode}\n{done.stdout}"
    return done.stdout


def hold(printed: tuple[str, ...], output: str, place: str) -> None:
    """Check that lines which a page shows are printed, in that order; ``...`` stands for anything."""
    lines = iter(" ".join(line.split()) for line in output.splitlines())
    for shown in filter(None, (" ".join(line.split()) for line in printed)):
        pattern = ".*".join(map(re.escape, re.split(r"\.\.\.", shown)))
        assert shown == "..." or any(re.fullmatch(pattern, line) for line in lines), (
            f"{place}: {shown!r} is not printed\n{output}"
        )


def run_block(block: Block, folder: Path, programs: Path = INSTALLED) -> str:
    """Do what a block of a page asks for, and return what it prints."""
    if block.file:
        path = folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
    elif block.language == "python":
        return execute([str(programs / "python"), "-c", block.text], folder, block.place, programs)
    elif block.language == "console":
        for step in steps("console", block.text):
            place = f"{block.place} {step.command}"
            printed = execute(["bash", "-ec", step.command], folder, place, programs)
            hold(step.printed, printed, place)
    return ""


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """What the first blocks of tutorials left, by their text: most begin with the same micrographs."""
    return {"folder": tmp_path_factory.mktemp("begun")}


@pytest.mark.parametrize("page", TUTORIALS, ids=doc_pages.name)
def test_a_tutorial_runs_from_top_to_bottom(page, tmp_path, programs, begun):
    first, *others = doc_pages.blocks(page)
    chosen = INSTALLED if doc_pages.name(page) == AS_INSTALLED else programs
    if chosen == programs and first.text in begun:
        shutil.copytree(begun[first.text], tmp_path, symlinks=True, dirs_exist_ok=True)
    else:
        (tmp_path / "examples").symlink_to(ROOT / "examples")
        run_block(first, tmp_path, chosen)
        begun[first.text] = shutil.copytree(tmp_path, begun["folder"] / page.stem, symlinks=True)
    for block in others:
        run_block(block, tmp_path, chosen)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, programs):
    """A folder with three micrographs, a run of them and a decision of a person."""
    folder = tmp_path_factory.mktemp("finished")
    of_one = "--molecules apoferritin --shape 512x512 --pixel-size 3 --particles 15,20"
    run = "run demo/micrographs --diameter 130 --model log --out out"
    for words in (f"simulate {of_one} --micrographs 3 --out demo", run):
        execute(["cryopick", *words.split()], folder, words, programs)
    (folder / "demo" / "micrographs").rename(folder / "Micrographs")
    (folder / "out" / "curation").mkdir()
    (folder / "out" / "curation" / "anna.csv").write_text(
        "micrograph_id,action,x_px,y_px,radius_px,by,at\n"
        "simulated_000000.mrc,exclude,,,,anna,2026-11-30T10:00:00.123Z\n"
    )
    return folder


@pytest.fixture
def beside_micrographs(finished, tmp_path):
    for path in finished.iterdir():
        (tmp_path / path.name).symlink_to(path)
    return tmp_path


@pytest.mark.parametrize("page", [page for page in OTHERS if python_blocks(page)], ids=doc_pages.name)
def test_python_blocks_run(page, beside_micrographs, programs):
    for block in python_blocks(page):
        run_block(block, beside_micrographs, programs)


def test_the_example_in_the_readme_writes_what_it_says(beside_micrographs, programs):
    printed = [run_block(block, beside_micrographs, programs) for block in python_blocks(ROOT / "README.md")]
    assert "particles in 3 micrographs" in "".join(printed)
    assert len(list((beside_micrographs / "boxes").rglob("*.box"))) == 3


@pytest.mark.parametrize("page", PAGES, ids=doc_pages.name)
def test_yaml_blocks_parse(page):
    for block in doc_pages.blocks(page):
        if block.language == "yaml":
            assert isinstance(yaml.safe_load(block.text), dict | list), block.place


@pytest.mark.parametrize("page", PAGES, ids=doc_pages.name)
def test_code_is_fenced_and_says_what_it_is(page):
    assert doc_pages.indented(page) == []
    known = {"console", "sh", "python", "yaml", "text", "csv", "{toctree}", "{include}", "mermaid"}
    assert [one.place for one in doc_pages.blocks(page) if one.language not in known] == []
