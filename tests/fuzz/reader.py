"""A reader under attack: valid files for it, and the call that reads them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Reader:
    """One reader.

    Attributes
    ----------
    seeds
        Each writes valid files into a folder of its own.
    read
        Reads such a folder, to the end.
    real
        Globs below the formats of ``CRYOPICK_DATA``: files of other programs, each alone in its folder.
    vouched
        Check sums stand for what is read: a changed file is refused, or gives the same.
    """

    seeds: tuple[Callable[[Path], object], ...]
    read: Callable[[Path], object]
    real: tuple[str, ...] = ()
    vouched: bool = False


def only(folder: Path) -> Path:
    """Return the one file in a folder."""
    (path,) = folder.iterdir()
    return path


def text_file(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)
