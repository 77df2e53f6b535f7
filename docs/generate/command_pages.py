"""The command line as it is: every command with all of its options."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import typer

from cli.bridge import Offer
from cli.main import app
from cryopick_ray.settings.leaf_settings import leaf_settings, option_name
from generate.docstrings import summary
from generate.markdown import anchor, code, from_docstring, page, table

Parameter = Any
"""One of typer's, which names no type of theirs."""


@dataclass(frozen=True)
class Command:
    """A command, by its words (``cryopick models list``).

    Attributes
    ----------
    typed
        Typer's, with the options of its settings made.
    offers
        The kinds of settings that it takes.
    """

    words: str
    typed: Any
    offers: Mapping[str, Offer]

    @property
    def parameters(self) -> list[Parameter]:
        """Those that its help shows, arguments first."""
        shown = [one for one in self.typed.params if not getattr(one, "hidden", False)]
        return sorted(shown, key=lambda one: one.opts[0].startswith("-"))


@cache
def commands() -> tuple[Command, ...]:
    """Return every command, in the order of the help."""
    return tuple(_below(typer.main.get_command(app), "cryopick"))


@cache
def options_of_settings() -> dict[str, dict[str, str]]:
    """Return the options that commands have for settings, by class and dotted name."""
    found: dict[str, dict[str, str]] = {}
    for one in commands():
        names = getattr(one.typed, "names", None) or {}
        for kind in (offer.load() for offer in one.offers.values()):
            taken = found.setdefault(kind.__name__, {})
            taken |= {
                name: names[name]
                for name, field, _ in leaf_settings(kind)
                if names.get(name) == option_name(name, field)
            }
    return found


def command_pages() -> dict[str, str]:
    """Return the page of all commands, by its file name."""
    listed = table(
        ["command", ""],
        ([f"[{one.words}](#{_anchor(one)})", _about(one).partition("\n")[0]] for one in commands()),
    )
    text = (
        "Every command and its options, from the code; `cryopick COMMAND --help` tells the same. "
        "Exit status: 0 all done, 3 done with failures, 1 could not run, 2 wrong usage."
    )
    return {"commands.md": page("Commands", text, listed, *map(_section, commands()))}


def _below(group: Any, words: str) -> Iterator[Command]:
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from _below(one, f"{words} {name}")
        else:
            offers = getattr(inspect.unwrap(one.callback), "offers", {})
            one.make_context(name, [], resilient_parsing=True)  # makes the options of its settings
            yield Command(f"{words} {name}", one, offers)


def _section(one: Command) -> str:
    arguments = [_shown(each) for each in one.parameters if not each.opts[0].startswith("-")]
    usage = " ".join([one.words, "[OPTIONS]", *arguments])
    rows = table(["option", "", ""], map(_row, one.parameters))
    return "\n\n".join(
        [f"{anchor(_anchor(one))}\n## {one.words}", f"```text\n{usage}\n```", _about(one), rows]
    )


def _row(each: Parameter) -> list[str]:
    """Return an option's spellings, its meaning, and its part of the help."""
    name = _shown(each)
    if each.opts[0].startswith("-"):
        name = " / ".join([*each.opts, *each.secondary_opts])
        name += f" {each.metavar}" if each.metavar and not each.is_flag else ""
    notes = ["needed"] if each.required else []
    if each.show_default and each.default not in (None, False, (), "") and not callable(each.default):
        notes.append(f"default: {code(each.default)}")
    if each.envvar:
        notes.append(f"from {code(each.envvar)} where it is not given")
    note = f" ({'; '.join(notes)})" if notes else ""
    return [code(name), from_docstring(each.help or "") + note, getattr(each, "rich_help_panel", None) or ""]


def _shown(each: Parameter) -> str:
    return str(each.metavar or each.name.upper()) + ("..." if each.nargs == -1 else "")


def _about(one: Command) -> str:
    return from_docstring(summary(one.typed.help))


def _anchor(one: Command) -> str:
    return one.words.replace(" ", "-")
