"""Lists of micrographs and movies: plain text, and RELION's STAR files."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from cryopick_ray.errors import UsageError, brief
from cryopick_ray.micrographs.optics_groups import (
    GROUP,
    IMAGE_SIZE,
    ORIGINAL_SIZE,
    PIXEL_SIZE,
    Group,
    detector_pixel_size_A,
    groups_of,
    optics_of,
    positive,
)
from cryopick_ray.micrographs.star_blocks import Block, read_star
from cryopick_ray.units import Optics

MAX_LIST_BYTES = 2**29  # a million particles, or more names than any project has
MICROGRAPH, MOVIE, GAIN = "rlnMicrographName", "rlnMicrographMovieName", "rlnMicrographGainName"
CTF = (
    *("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle", "rlnCtfBfactor", "rlnCtfScalefactor"),
    *("rlnPhaseShift", "rlnCtfMaxResolution", "rlnCtfFigureOfMerit"),
)
"""Columns of a micrograph that its particles have, too."""
PARTICLES = {"rlnImageName", "rlnCoordinateX"}
Kind = Literal["micrograph", "movie", "particles"]
UNSAID = ("name", "path", "is_original_size")


@dataclass(frozen=True)
class ListedMicrograph:
    """One line of a list.

    Attributes
    ----------
    name
        The path as written in the list.
    path
        Absolute path of the file; it may be missing, which its reader reports.
    optics, pixel_size_A
        What a STAR or ``.cs`` file says of it, else ``None``. A movie's pixel size is that of its frames.
    original_pixel_size_A
        Of the movie that it was made of, before any binning; of a movie its own.
    is_original_size
        ``pixel_size_A`` is the movie's, of which the micrograph's may be a multiple: no better is known.
    kind
        An image, or a movie that is to be aligned and summed first.
    gain
        The movie's gain reference.
    optics_group, listed
        JSON objects, empty for nothing, which are carried to every output that can hold them: the columns
        of the optics group that a STAR file gives it, and those that a list has of itself.
    """

    name: str
    path: Path
    optics: Optics | None = None
    pixel_size_A: float | None = None
    kind: Literal["micrograph", "movie"] = "micrograph"
    gain: Path | None = None
    optics_group: str = ""
    listed: str = ""
    original_pixel_size_A: float | None = None
    is_original_size: bool = False

    def carried(self) -> dict[str, Any]:
        """Return what is said of its source, too, whose pixel size is its own or none."""
        said = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in UNSAID}
        return said | {"pixel_size_A": None if self.is_original_size else self.pixel_size_A}


def read_text_list(path: Path, working_folder: Path) -> list[ListedMicrograph]:
    """Read one path a line; empty lines and lines that start with ``#`` are skipped.

    Relative paths lie in the list's folder, else in ``working_folder``.
    """
    check_length(path)
    try:
        lines = [line.strip() for line in path.read_text("utf-8-sig").split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"list {str(path)!r} cannot be read: {error}") from error
    names = [line for line in lines if line and not line.startswith("#")]
    folders = (path.parent, working_folder)
    return [ListedMicrograph(name, find_listed(name, folders)) for name in names]


def read_star_list(
    path: Path, relion_project: Path, say: Callable[[str], None] = lambda text: None
) -> list[ListedMicrograph]:
    """Read names, optics and pixel sizes of micrographs or movies from a STAR file of RELION 3.0 to 5.

    The block ``data_micrographs`` is read, else ``data_movies``, else the only block with rlnMicrographName
    or rlnMicrographMovieName. Relative paths lie in the RELION project, as RELION has them, else in the
    STAR file's folder. A name that comes again, as for each of its particles, is listed once, with the
    values that all its rows share.

    Parameters
    ----------
    say
        Told of rows without optics.
    """
    check_length(path)
    try:
        blocks = {name.lower(): block for name, block in read_star(path).items()}  # data_Optics, too
        rows, name = _named_rows(blocks)
        groups = groups_of(rows, blocks.get("optics"), say)
    except (OSError, ValueError) as error:
        raise UsageError(f"STAR file {str(path)!r} cannot be read: {brief(error)}") from error
    particles = not PARTICLES.isdisjoint(rows)
    kind: Kind = "movie" if name == MOVIE else "particles" if particles else "micrograph"
    group_of = dict(zip(reversed(rows[name]), reversed(groups), strict=True))
    texts = {id(group): json.dumps(group) if group else "" for group in groups}
    folders = (relion_project, path.parent)
    return [
        _listed(title, own, group_of[title], texts[id(group_of[title])], kind, folders)
        for title, own in _shared(rows, name, kind).items()
    ]


def _shared(rows: Block, name: str, kind: Kind) -> dict[str, dict[str, str]]:
    """Return what the rows of each name say alike; of a table of particles only what micrographs have."""
    own = [row for row in rows if row in CTF or (kind != "particles" and row not in (name, GROUP))]
    shared: dict[str, dict[str, str]] = {}
    for title, *values in zip(rows[name], *(rows[column] for column in own), strict=True):
        known = shared.setdefault(title, dict(zip(own, values, strict=True)))
        for column, value in zip(own, values, strict=True):
            if known.get(column, value) != value:
                del known[column]
    return shared


def _listed(
    title: str, own: dict[str, str], group: Group, text: str, kind: Kind, folders: tuple[Path, Path]
) -> ListedMicrograph:
    columns = {**group, **own}
    own_A, original_A = _pixel_sizes(columns, kind)
    gain = own.pop(GAIN, "")
    return ListedMicrograph(
        title,
        find_listed(title, folders),
        optics_of(columns),
        own_A or original_A,
        "movie" if kind == "movie" else "micrograph",
        find_listed(gain, folders) if gain else None,
        text,
        json.dumps(own) if own else "",
        original_A,
        is_original_size=own_A is None and original_A is not None,
    )


def _pixel_sizes(columns: Mapping[str, str], kind: Kind) -> tuple[float | None, float | None]:
    """Return the pixel sizes of an image and of the movie that it was made of.

    Images of particles may be scaled, and RELION 3.0 scales their detector's pixels alike.
    """
    sizes = (PIXEL_SIZE, IMAGE_SIZE, ORIGINAL_SIZE)
    own_A, image_A, original_A = (positive(columns.get(name)) for name in sizes)
    detector_A = detector_pixel_size_A(columns)
    if kind == "movie":
        return (original_A or detector_A,) * 2
    if kind == "particles":
        return own_A, original_A or detector_A
    return own_A or image_A or detector_A, original_A


def find_listed(name: str, folders: Iterable[Path]) -> Path:
    """Return ``name`` in the first folder that holds it; in the first of all if none does."""
    candidates = [folder / name for folder in folders]
    return next((path for path in candidates if _exists(path)), candidates[0])


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, not permitted, a NUL inside: its reader says so
        return False


def _named_rows(blocks: dict[str, Block]) -> tuple[Block, str]:
    """Return the rows of the images, and the column of their names."""
    for block, name in (("micrographs", MICROGRAPH), ("movies", MOVIE)):
        if name in blocks.get(block, {}):
            return _checked(blocks[block], name)
    for name in (MICROGRAPH, MOVIE):
        named = [block for block in blocks.values() if name in block]
        if len(named) == 1:
            return _checked(named[0], name)
    found = ", ".join(f"data_{name}" for name in blocks) if blocks else "no data block"
    raise ValueError(
        f"it has {found}; expected data_micrographs, data_movies, or one block, with {MICROGRAPH} or {MOVIE}"
    )


def _checked(rows: Block, name: str) -> tuple[Block, str]:
    if not all(rows[name]):
        raise ValueError(f"it has rows without {name}")
    return rows, name


def check_length(path: Path) -> None:
    """Refuse a file that is too long for a list."""
    length = path.stat().st_size
    if length > MAX_LIST_BYTES:
        raise UsageError(f"list {str(path)!r} has {length} bytes; at most {MAX_LIST_BYTES} are read")
