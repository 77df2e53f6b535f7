"""The reference holds all that the code has, as the code has it."""

import json
import re
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

import cryopick_ray
from cryopick_ray.formats.format_table import FORMATS
from cryopick_ray.pickers.shipped import shipped_models
from cryopick_ray.picks.columns import COLUMNS
from cryopick_ray.picks.schema import PICKS
from cryopick_ray.settings.leaf_settings import leaf_settings
from cryopick_ray.settings.run_settings import RunSettings
from cryopick_ray.training.training_settings import TrainSettings
from generate.beside import BESIDE, ROOT, moved
from generate.command_pages import command_pages, commands
from generate.docstrings import attributes, first_line, summary
from generate.kinds import in_words
from generate.markdown import from_docstring, table
from generate.model_page import model_pages
from generate.module_page import modules
from generate.reference import reference, write
from generate.settings_pages import ANCHORS, NOT_SET_BY_PEOPLE, PAGES, Leaf, inside, settings_classes
from generate.table_pages import ALWAYS, table_pages


@pytest.fixture(scope="module")
def pages():
    return reference()


def rows(text):
    """Return the first cells of the rows of all tables of a page."""
    return re.findall(r"^\| (.*?[^\\]) \|", text, re.MULTILINE)


def test_every_setting_of_a_run_is_on_its_page_with_its_default(pages):
    names = [name for name, _, _ in leaf_settings(RunSettings)]
    assert rows(pages["settings/run.md"]) == ["setting", *(f"`{name}`" for name in names)]
    [row] = [line for line in pages["settings/run.md"].splitlines() if line.startswith("| `movies.binning`")]
    assert row.endswith("`--binning` | number ≥ 1, ≤ 16 | `1.0` |")


def test_every_class_of_settings_stands_on_one_page():
    classes = settings_classes()
    shown = [one for names in PAGES.values() for one in names]
    assert len(shown) == len(set(shown))
    within = {leaf.owner for name in shown for leaf in inside(classes[name]) if isinstance(leaf, Leaf)}
    for name, kind in classes.items():
        is_base = bool(kind.__subclasses__())
        assert name in ANCHORS or kind in within or is_base or name in NOT_SET_BY_PEOPLE, name
    assert classes.keys() >= NOT_SET_BY_PEOPLE


def test_every_setting_says_what_it_means():
    """Those of simulations are named after physics, with their unit; all others have help or a docstring."""
    silent = {
        f"{kind}.{leaf.name}"
        for kind in ANCHORS
        for leaf in inside(settings_classes()[kind])
        if isinstance(leaf, Leaf) and not leaf.meaning
    }
    assert {one for one in silent if not one.startswith("SimulationSettings.")} == set()


def test_meanings_of_a_base_class_are_told_of_those_below():
    told = attributes(TrainSettings)
    assert told["epochs"] == told["steps"] == "``None`` for the network's own."
    assert told["start"].endswith("(its file) instead of fresh weights.")


def test_a_docstring_is_read_as_it_is_written():
    class Two:
        """Say it.

        More.

        Attributes
        ----------
        a, b : int
            Both, see
            :class:`~x.Y`.
        c
            One.

        Raises
        ------
        ValueError
            Never.
        """

    assert attributes(Two) == {"a": "Both, see :class:`~x.Y`.", "b": "Both, see :class:`~x.Y`.", "c": "One."}
    assert (first_line(Two.__doc__), summary(Two.__doc__)) == ("Say it.", "Say it.\n\nMore.")
    assert from_docstring("``a*b`` of :func:`~x.y` <z>, a*b") == r"`a*b` of `x.y` \<z>, a\*b"
    assert table(["a"], [["x|y\nz"]]).splitlines()[-1] == r"| x\|y z |"
    assert table(["a"], []) == ""


def test_what_a_setting_may_be_is_said_in_words():
    class Inner(BaseModel):
        n: int

    class Some(BaseModel):
        a: Annotated[float, Field(gt=0, le=2)] | None
        b: Literal["x", "y"]
        c: tuple[Path, ...]
        d: tuple[float, float]
        e: dict[str, bool]
        f: tuple[Inner, ...]
        g: int | str

    schema = Some.model_json_schema()
    said = {name: in_words(one, schema["$defs"]) for name, one in schema["properties"].items()}
    assert said == {
        "a": "number > 0, ≤ 2 or `null`",
        "b": "`x`, `y`",
        "c": "list of: text",
        "d": "2 of: number",
        "e": "names to `true` or `false`",
        "f": "list of: `Inner`",
        "g": "whole number or text",
    }


def test_every_command_and_each_of_its_options_is_there():
    text = command_pages()["commands.md"]
    for one in commands():
        section = text.partition(f"\n## {one.words}\n")[2].partition("\n## ")[0]
        assert section.startswith("\n```text\ncryopick ")
        shown = [each for each in one.typed.params if not getattr(each, "hidden", False)]
        options = {name for each in shown for name in each.opts if name.startswith("-")}
        assert options <= set(re.findall(r"--?[\w-]+", " ".join(rows(section))))
        assert len(rows(section)) == 1 + len(shown)


def test_formats_columns_and_models_are_those_of_the_code():
    cells = rows(table_pages()["formats.md"])
    assert [one.strip("`") for one in cells if one.startswith("`")] == [*FORMATS, *PICKS.names, *COLUMNS]
    assert list(ALWAYS) == PICKS.names
    text = model_pages()["models.md"]
    assert re.findall(r"^## `(.*)`$", text, re.MULTILINE) == [*shipped_models(), "log"]
    for one in shipped_models().values():
        assert json.loads(one.weights.with_suffix(".json").read_text())["licence"] in text


def test_every_module_says_what_it_is(pages):
    assert [path for path, line in modules() if not line] == []
    assert all(f"## {path.parent}/" in pages["modules.md"] for path, _ in modules())


def test_all_that_is_exported_is_on_the_page_of_python(pages):
    assert re.findall(r"^## (.*)$", pages["api.md"], re.MULTILINE) == cryopick_ray.__all__


def test_the_first_page_lists_all_others(pages):
    assert all(
        name.removesuffix(".md") in pages["index.md"]
        for name in pages
        if "/" not in name and name != "index.md"
    )


def test_links_of_pages_beside_the_code_lead_where_they_led():
    path = ROOT / "cluster" / "README.md"
    text = moved(
        "[a](../examples/run.yaml) [b](../docs/guides/ctf.md#x) [c](https://x.org) [d](../README.md)", path
    )
    targets = re.findall(r"\]\(([^)#]*)", text)
    page = BESIDE / "cluster"
    assert [(page / one).resolve() for one in (targets[0], targets[1], targets[3])] == [
        ROOT / "examples" / "run.yaml",
        ROOT / "docs" / "guides" / "ctf.md",
        BESIDE / "README.md",
    ]
    assert targets[2] == "https://x.org"


def test_a_folder_holds_the_pages_and_no_others(tmp_path):
    write({"a.md": "1", "b/c.md": "2"}, tmp_path)
    before = (tmp_path / "a.md").stat().st_mtime_ns
    write({"a.md": "1", "d.md": "3"}, tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.rglob("*.md")} == {"a.md": "1", "d.md": "3"}
    assert (tmp_path / "a.md").stat().st_mtime_ns == before
