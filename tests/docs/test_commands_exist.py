"""Every command that the documentation shows exists, with its options and settings."""

import re
from collections.abc import Iterator
from pathlib import Path

import doc_pages
import pytest
import typer
from pydantic import ValidationError
from shell_words import arguments, simple_commands, steps

from cryopick_ray.errors import UsageError
from generate.command_pages import commands

SHELL = {"console", "sh"}
PAGES = doc_pages.page_paths()
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")
OPTIONS = {
    one.words: {name for each in one.typed.params for name in (*each.opts, *each.secondary_opts)} | {"--help"}
    for one in commands()
}
OF_OTHERS = {"--recenter"}
"""An option of RELION's that looks like ours; most of theirs have an underscore."""
WRONG = (AssertionError, UsageError, typer.BadParameter.__base__)


def parse(words: list[str]) -> None:
    """Read arguments as the program does, without running a command; raises what is wrong with them."""
    text = " ".join(["cryopick", *words])
    if text in {"cryopick", "cryopick --help", "cryopick --version"}:
        return
    own = [one for one in commands() if f"{text} ".startswith(f"{one.words} ")]
    assert own, f"there is no command {text}"
    command = max(own, key=lambda one: len(one.words))
    if "--help" in words:
        return
    context = command.typed.make_context("", words[command.words.count(" ") :])
    if command.offers:
        given = command.typed.arguments(context.params)
        for role, offer in command.offers.items():
            check(offer.load(), given[role])


def check(kind, given: dict) -> None:
    """Hold what is given of settings against their kind; others may come from a file."""
    try:
        kind.model_validate(given)
    except ValidationError as error:
        wrong = [one for one in error.errors() if one["loc"] and one["type"] != "missing"]
        assert not wrong, wrong


def calls(page: Path, program: str) -> Iterator[tuple[str, list[str]]]:
    """Yield where a page's shell blocks call a program, and what they give it."""
    for block in doc_pages.blocks(page):
        if block.language in SHELL:
            for step in steps(block.language, block.text):
                for words in simple_commands(step.command):
                    if (given := arguments(words, program)) is not None:
                        yield f"{block.place} {' '.join(words)}", given


@pytest.mark.parametrize("page", PAGES, ids=doc_pages.name)
def test_the_shown_commands_exist(page):
    wrong = []
    for shown, given in calls(page, "cryopick"):
        try:
            parse(given)
        except WRONG as error:
            wrong.append(f"{shown}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        "run X --out o --diametre 3",
        "rum X",
        "run X --out o --set movies.gian=x",
        "run X --out o --diameter wide",
        "run X --out o --votes 2",
        "run X",
        "models lists",
        "export run --format",
    ],
)
def test_what_does_not_exist_is_found(wrong):
    with pytest.raises(WRONG):
        parse(wrong.split())


@pytest.mark.parametrize("page", PAGES, ids=doc_pages.name)
def test_shown_targets_of_make_and_scripts_exist(page):
    targets = set(re.findall(r"^([\w./-]+):", (doc_pages.ROOT / "Makefile").read_text(), re.MULTILINE))
    own = {block.file for block in doc_pages.blocks(page)}
    for shown, words in calls(page, "make"):
        assert {word for word in words if not re.search(r"^-|=", word)} <= targets, shown
    for shown, words in calls(page, "python"):
        if words and words[0].endswith(".py"):
            assert words[0] in own or (doc_pages.ROOT / words[0]).is_file(), shown


def unknown(text: str) -> set[str]:
    """Return what words in backticks name that does not exist: a command, or options of it or of any."""
    options = set(OPTION.findall(text))
    if text.startswith("--"):
        return {one for one in options if "_" not in one}.difference(*OPTIONS.values(), OF_OTHERS)
    if not re.match(r"cryopick [a-z]", text):
        return set()
    own = [words for words in OPTIONS if f"{text} ".startswith(f"{words} ")]
    return options - OPTIONS[max(own, key=len)] if own else {text}


@pytest.mark.parametrize("page", PAGES, ids=doc_pages.name)
def test_commands_and_options_in_backticks_exist(page):
    assert {text: wrong for text in doc_pages.in_backticks(page) if (wrong := unknown(text))} == {}


def test_what_does_not_exist_in_backticks_is_found():
    assert unknown("cryopick rum DIR") == {"cryopick rum DIR"}
    assert unknown("cryopick run DIR --votes 2") == {"--votes"}
    assert unknown("--diametre") == {"--diametre"}
    assert unknown("cryopick models show NAME") == unknown("--diameter 3 --resume") == set()
