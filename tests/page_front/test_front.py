"""The page's modules: their own tests in node, their types by TypeScript."""

import re
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

HERE = Path(__file__).parent
STATIC = HERE.parents[1] / "cryopick_ray" / "page" / "static"
OLDEST = (20, 19)  # knows modules without a package.json beside them


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    version = tuple(map(int, run(found, "--version").lstrip("v").split(".")[:2]))
    if version < OLDEST:
        pytest.skip(f"node {version} is older than {OLDEST}")
    return found


def test_logic_holds_its_laws(node):
    told = run(node, "--test")
    assert "# fail 0" in told
    assert "# pass 0" not in told


def test_types_fit(node):
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    if not (HERE / "node_modules" / "typescript").is_dir():
        got = subprocess.run(
            (npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"),
            cwd=HERE,
            capture_output=True,
            timeout=200,
        )
        if got.returncode:
            pytest.skip("npm cannot install TypeScript")
    run(node, "node_modules/typescript/bin/tsc", "--project", "tsconfig.json")


def modules() -> list[Path]:
    return [path for path in STATIC.rglob("*.js") if path.parent.name != "vendor"]


def test_files_are_small():
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert len(lines) > 20
    assert max(lines.values()) <= 300


def test_logic_knows_no_page():
    for path in (STATIC / "core").glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not any(word in text for word in ("document.", "window.", "fetch(", "../ui/")), path


def test_nothing_is_written_as_markup():
    for path in modules():
        text = path.read_text(encoding="utf-8")
        for word in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
        ):
            assert word not in text, (path, word)


def test_markup_holds_no_scripts_or_styles():
    text = (STATIC / "index.html").read_text(encoding="utf-8")
    assert " style=" not in text
    assert "<style" not in text
    assert not re.search(r"\son\w+=", text)
    assert all('src="static/' in part.split(">")[0] for part in text.split("<script")[1:])


def test_what_others_made_is_as_published():
    told = dict(
        reversed(line.split())
        for line in (STATIC / "vendor" / "README.md").read_text().splitlines()
        if line.startswith("    ")
    )
    files = {path.name for path in (STATIC / "vendor").iterdir() if path.suffix in (".js", ".css")}
    assert told.keys() == files
    for name, digest in told.items():
        assert sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == digest


def test_all_modules_are_asked_for_at_once():
    """Through a tunnel, each step of imports would take a round trip."""
    text = (STATIC / "index.html").read_text(encoding="utf-8")
    told = re.findall(r'rel="modulepreload" href="static/([^"]+)"', text)
    there = {path.relative_to(STATIC).as_posix() for path in modules()} - {"main.js", "core/types.js"}
    assert sorted(told) == sorted(there)
