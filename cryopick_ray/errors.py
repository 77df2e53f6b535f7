"""Errors, their exit statuses, and the spelling of settings in messages.

A message names a setting as its field is called, in backticks, dotted if nested: "give `pixel_size_A`",
"check `movies.gain`". Command line, API and page each show their own name of it, see :func:`spelled`.
"""

import re
from collections.abc import Callable, Sequence
from reprlib import Repr
from typing import Any, ClassVar

_SETTING = re.compile(r"`([A-Za-z]\w*(?:\.\w+)*)`")


def spelled(text: str, spell: Callable[[str], str]) -> str:
    """Return a message with every setting called what ``spell`` makes of its dotted name."""
    return _SETTING.sub(lambda found: spell(found[1]), text)


def plain(text: str) -> str:
    """Return a message for readers of a settings file: settings by their names in it."""
    return spelled(text, str)


MOST_SHOWN = 200
"""Characters of a stranger's value, or of what a library says of it, that a message quotes."""

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = MOST_SHOWN


NAMES_SHOWN = 3


def few(names: Sequence[str], most: int = NAMES_SHOWN) -> str:
    """Return the first names of many as part of a message, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def brief(value: object) -> str:
    """Return the ``repr`` of a value, or an error's text, shortened to a part of one line.

    Its backticks mark no setting, unless it is an error of ours.
    """
    if isinstance(value, CryoPickError):
        return _line(str(value))
    if isinstance(value, BaseException):
        text = str(value)[: 2 * MOST_SHOWN] or type(value).__name__
    else:
        text = _written(value)
    return one_line(text)


def one_line(text: str) -> str:
    """Return a text's beginning without line breaks, marks of settings, or what else steers the terminal."""
    return _line(text.replace("`", "'"))


def _line(text: str) -> str:
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= MOST_SHOWN else f"{line[: MOST_SHOWN - 3]}..."


def _written(value: object) -> str:
    try:
        return repr(value[:MOST_SHOWN]) if isinstance(value, str) else _SHORT.repr(value)
    except ValueError:  # Python writes no number of more than some thousand digits
        return f"a {type(value).__name__} of very many digits"


class CryoPickError(Exception):
    """Base of all errors shown to users: the message names the value and the remedy.

    Parameters
    ----------
    text
        The message; settings stand in backticks.
    values
        Values of settings that it names, where they are known.

    Attributes
    ----------
    settings
        The settings that the message names, each with its value or ``None``.
    """

    def __init__(self, text: str = "", /, **values: Any) -> None:
        super().__init__(text)
        self.settings = {name: values.get(name) for name in _SETTING.findall(text)}

    exit_code: ClassVar[int] = 1
    elsewhere: ClassVar[bool] = False
    """Whether the fault is the machine's, so that another machine may do the work."""


class UsageError(CryoPickError, ValueError):
    """A setting or argument is wrong; nothing was started."""

    exit_code = 2


class PixelSizeError(UsageError):
    """The pixel size is missing, implausible or too coarse; the message names the setting to give."""


class MicrographError(CryoPickError, ValueError):
    """One micrograph cannot be read or used: a row in the table of failures, never the end of a run."""


class StackError(MicrographError):
    """A file holds several images: a movie, or no micrograph."""


class StoreError(CryoPickError):
    """The store or its manifest is missing, incomplete or damaged."""


class UnreachableError(StoreError):
    """A bucket does not answer this machine, however often it is asked: nothing is known of what it holds."""

    elsewhere = True


class DamagedError(StoreError):
    """What the store holds of one micrograph is missing, of another size or damaged; ingest it again."""


class ModelError(CryoPickError, ValueError):
    """A weights file cannot be used: unknown architecture, wrong shapes, code inside."""


class PicksError(CryoPickError):
    """Pick shards or a table are missing, damaged or contradict each other."""


class EngineError(CryoPickError):
    """The engine could not run the units it was given."""


class NodeError(EngineError):
    """A node lacks what a worker needs there."""

    elsewhere = True


class DeviceError(EngineError):
    """A worker's GPU fails."""

    elsewhere = True


class TrainingError(CryoPickError):
    """Training could not start, go on or end well."""
