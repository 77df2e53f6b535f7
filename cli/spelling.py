"""What the command line calls a setting: what the command that runs calls it, see :mod:`cli.bridge`."""

from collections.abc import Mapping
from typing import Any

import typer

from cryopick_ray.errors import spelled

_command: Any = None


def speak_of(command: Any) -> None:
    """Let settings be called what ``command`` calls them; a process runs one."""
    global _command
    _command = command


def has(option: str) -> bool:
    """Tell whether the command that runs has an option."""
    return _command is not None and any(option in param.opts for param in _command.params)


def in_options(text: str) -> str:
    """Return a message of the library with its settings as the command that runs calls them."""
    return spelled_by(getattr(_command, "names", None) or {}, text)


def tell(text: str) -> None:
    """Say something on standard error."""
    typer.echo(in_options(text), err=True)


def spelled_by(names: Mapping[str, str], text: str) -> str:
    """Return a message with settings called what ``names`` holds, else by rule."""
    return spelled(text, lambda name: option(name, names))


def option(name: str, names: Mapping[str, str]) -> str:
    """Return what a command with options ``names`` calls a setting, given its dotted name."""
    if name in names:
        return names[name]
    if name == "inputs":
        return "INPUT"
    leaf = name.rpartition(".")[2]
    if same := [called for one, called in names.items() if one.rpartition(".")[2] == leaf]:
        return same[0]
    from cryopick_ray.settings.leaves import option as by_rule

    return f"--set {name}=" if "." in name and has("--set") else by_rule(name)
