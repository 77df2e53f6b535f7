"""One format of coordinates: what it is called, how it is known, read and written, and what it can hold."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.units import Optics

Note = Callable[[str], None]
"""Told what a person should know of a file, in a line."""
Thing = Literal["scores", "boxes", "diameters", "fractions", "empty", "folders", "columns"]


@dataclass(frozen=True)
class ExportSettings:
    """What the formats need besides the picks; each takes what concerns it.

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
        Told what is left out, made up or decided.
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
        What settings and people call it.
    suffixes
        How its files are named, the usual one first.
    looks_like
        Whether the beginning of a file, as text, is of this format; ``None`` where nothing tells it, and a
        reader must be told.
    read, write
        ``None`` where it is only written, or only read.
    holds
        What of :class:`~cryopick_ray.formats.coordinates.Coordinates` its files have room for, beside names
        and places: ``empty`` are micrographs without particles, ``folders`` those of names.
    columns
        Which optional columns they have room for, by their names in files
        (:data:`~cryopick_ray.formats.column_names.IN_FILES`).
    is_marked
        Whether ``looks_like`` goes by words that no other format has, not by counts of numbers alone.
    endings
        What its program appends to a micrograph's name in those of its files.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    looks_like: Callable[[str], bool] | None
    read: Reader | None
    write: Writer | None
    holds: frozenset[Thing]
    columns: frozenset[str] = frozenset()
    is_marked: bool = True
    endings: tuple[str, ...] = ()
