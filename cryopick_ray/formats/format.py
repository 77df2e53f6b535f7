"""A coordinate format: its name, detection, reader, writer, and what it can hold."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.units import Optics

Note = Callable[[str], None]
"""Receives messages about a file, a line each."""
Content = Literal["scores", "boxes", "diameters", "fractions", "empty", "folders", "columns"]


@dataclass(frozen=True)
class ExportSettings:
    """Settings of an export; each format uses those that concern it.

    Attributes
    ----------
    relion_project
        Folder in which RELION will run (``star``); the working folder where ``None``.
    optics
        Microscope (``star``).
    box_px
        Side of the box in pixels (``box``, ``cbox``); that of the particle's own, or 1.5 diameters,
        where ``None``.
    image_height
        Rows of the micrographs whose shape is not known (``cryoppp``).
    whole_px
        Round centres to whole pixels, off which RELION and Topaz cut fractions: half a pixel on average.
    like
        Picks or exposures of the CryoSPARC project to fit in (``cs``).
    say
        Called about what is left out, guessed or decided.
    """

    relion_project: Path | None = None
    optics: Optics = field(default_factory=Optics)
    box_px: int | None = None
    image_height: int | None = None
    whole_px: bool = False
    like: Path | None = None
    say: Note = lambda text: None


Reader = Callable[[Path, str, Note], Iterable[Coordinates]]
"""Reads a file, given what its own name calls the micrograph; raises ``ValueError`` with the line."""
Writer = Callable[[Iterable[Coordinates], Path, ExportSettings], None]


@dataclass(frozen=True)
class Format:
    """A row of the table of formats.

    Attributes
    ----------
    name, title
        Name in settings, and name in messages.
    suffixes
        File suffixes, the usual one first.
    looks_like
        Detects the format from the beginning of a file, as text; ``None`` where that is impossible, and a
        reader must name the format.
    read, write
        ``None`` where it is only written, or only read.
    holds
        Contents of :class:`~cryopick_ray.formats.coordinates.Coordinates` that files can hold, beside names
        and centres: ``empty`` are micrographs without particles, ``folders`` those of names.
    columns
        Optional columns that they can hold, by their names in files
        (:data:`~cryopick_ray.formats.column_names.IN_FILES`).
    is_marked
        Whether ``looks_like`` looks for words that no other format has, not for counts of numbers alone.
    endings
        Endings that its program appends to a micrograph's name in file names.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    looks_like: Callable[[str], bool] | None
    read: Reader | None
    write: Writer | None
    holds: frozenset[Content]
    columns: frozenset[str] = frozenset()
    is_marked: bool = True
    endings: tuple[str, ...] = ()
