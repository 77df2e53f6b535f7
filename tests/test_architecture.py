"""The structure's own laws: imports go one way, heavy libraries stay in their files, files stay small."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "cryopick_ray"
SOURCES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "cli").glob("*.py")])
LAYERS = [
    ["errors"],
    ["units", "plain_data", "project"],
    ["settings"],
    ["filaments"],
    ["transfer"],
    ["micrographs"],
    ["empiar"],
    ["store"],
    ["pickers"],
    ["picks"],
    ["passes"],
    ["engine"],
    ["stages"],
    ["simulate"],
    ["formats"],
    ["evaluation"],
    ["particles"],
    ["report"],
    ["training"],
    ["bench", "launch"],
    ["runs"],
    ["suite"],
    ["page"],
    ["cli", "__main__"],
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
ONLY_IN = {
    "ray": {
        "engine/ray_engine.py",
        "engine/ray_host.py",
        "engine/ray_pool.py",
        "engine/ray_private.py",
        "engine/ray_session.py",
        "training/loop/ray_meeting.py",
        "training/loop/ray_train.py",
        "launch/ray_jobs.py",
        "launch/ray_launcher.py",
    },
    "dask": {"passes/tasks.py"},
}


@cache
def nodes_of(path):
    return tuple(ast.walk(ast.parse(path.read_text())))


def imports(path):
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module


def layer(path):
    if path.parent.name == "cli":
        return "cli"
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def place(path):
    return path.relative_to(ROOT if path.parent.name == "cli" else PACKAGE).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_imports_go_one_way(path):
    if layer(path) == "__init__":
        return
    for module in imports(path):
        if module.startswith("cryopick_ray."):
            target = module.split(".")[1]
            assert RANK[target] <= RANK[layer(path)], f"{place(path)} imports {module}"


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_ray_and_dask_stay_in_their_files(path):
    for module in imports(path):
        library = module.split(".")[0]
        assert place(path) in ONLY_IN.get(library, {place(path)}), f"{place(path)} imports {module}"


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_files_and_functions_stay_small(path):
    assert len(path.read_text().splitlines()) <= 300
    for node in nodes_of(path):
        if isinstance(node, ast.FunctionDef) and path.parent.name != "cli":
            code = node.end_lineno - node.body[0].lineno + 1
            assert code < 60, f"{node.name} in {place(path)} has {code} lines"


RUNS_OTHER_PROGRAMS = {
    "launch/command.py",
    "launch/doppio.py",
    "launch/slurm_jobs.py",
    "particles/classes/relion.py",
}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=place)
def test_no_message_of_the_library_holds_an_option(path):
    """Each surface calls settings its own way; docstrings may speak of other programs' options."""
    if place(path) in RUNS_OTHER_PROGRAMS:
        return
    nodes = nodes_of(path)
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            assert not re.search(r"(?<![\w-])--[a-z]", node.value), f"line {node.lineno}: {node.value}"


def test_packages_listed_for_installing_are_those_that_exist():
    import tomllib

    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    here = {".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("__init__.py")}
    assert listed == here | {"cryopick_ray.cli", "cryopick_ray.cluster"}


def test_no_two_test_files_have_one_name():
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))  # pytest imports them by name alone


@pytest.mark.parametrize("statement", ["import cryopick_ray", "import cli.main"])
def test_help_needs_no_heavy_library(statement):
    heavy = "{'torch', 'ray', 'zarr', 'dask', 'pandas', 'pydantic', 'scipy', 'pyarrow'}"
    code = f"import sys; {statement}; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
