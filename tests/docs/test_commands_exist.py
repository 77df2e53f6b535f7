"""Every command that the documentation shows is one of the program's, with options and settings that exist."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import doc_pages
import pytest
import typer.main
from pydantic import ValidationError
from shell_words import arguments, simple_commands, steps

from cli.main import app
from cryopick_ray.errors import UsageError

SHELL = {"console", "sh"}
PAGES = doc_pages.page_paths()
WRONG = (AssertionError, UsageError, typer.BadParameter.__base__)


def parse(words: list[str]) -> None:
    """Read arguments as the program does, without running a command; raises what is wrong with them."""
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        if not words or words[0] not in command.commands:
            assert words
            assert words[0].startswith("--"), f"there is no command {words[0]}"
            return
        command, words = command.commands[words[0]], words[1:]
    offers = getattr(inspect.unwrap(command.callback), "offers", {})
    context = command.make_context("", list(words))
    if offers:
        given = command.arguments(context.params)
        for role, offer in offers.items():
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
