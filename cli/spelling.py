"""What the command line calls a setting."""

from typing import Any

import typer

from cryopick_ray.errors import spelled

OWN = {
    "inputs": "INPUT",
    "angular_step_deg": "--angular-step",
    "exposure.dose_e_per_A2": "--dose",
    "height_px": "height of --shape",
    "width_px": "width of --shape",
}
"""Names that do not follow from the field's."""
_command: Any = None


def speak_of(command: Any) -> None:
    """Let settings be called what ``command`` calls them; a process runs one."""
    global _command
    _command = command


def in_options(text: str) -> str:
    """Return a message of the library with its settings as the command that runs calls them."""
    return spelled(text, option)


def tell(text: str) -> None:
    """Say something on standard error."""
    typer.echo(in_options(text), err=True)


def option(name: str) -> str:
    """Return the option of a setting, given its dotted name."""
    if name in OWN:
        return OWN[name]
    from cryopick_ray.config import option as by_rule

    found, leaf = by_rule(name), name.rpartition(".")[2]
    if "." not in name or _command is None or found in _options():
        return found
    return f"--movie-set {leaf}=" if name.startswith("movies.") else f"--set {name}="


def _options() -> set[str]:
    return {text for one in _command.params for text in one.opts}
