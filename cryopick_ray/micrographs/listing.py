"""Lists of micrographs and movies: plain text, and RELION's STAR files."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cryopick_ray.errors import UsageError, brief
from cryopick_ray.micrographs.star import read_star
from cryopick_ray.units import Optics, is_positive

if TYPE_CHECKING:  # half a second that only STAR lists need
    import pandas as pd

MAX_LIST_BYTES = 2**28  # a million long names; more is not a list of micrographs
OWN_SIZE, ORIGINAL_SIZE, PARTICLE = "rlnMicrographPixelSize", "rlnMicrographOriginalPixelSize", "rlnImageName"
MOVIE, GAIN = "rlnMicrographMovieName", "rlnMicrographGainName"
GROUP = "rlnOpticsGroup"
MICRONS_A = 1e4


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


def read_star_list(path: Path, relion_project: Path) -> list[ListedMicrograph]:
    """Read names, optics and pixel sizes of micrographs or movies from a STAR file of RELION 3.0 to 5.

    The block ``data_micrographs`` is read, else ``data_movies``, else the only block with rlnMicrographName
    or rlnMicrographMovieName. Relative paths lie in the RELION project, as RELION has them, else in the
    STAR file's folder.
    """
    blocks = _star_blocks(path)
    rows, name = _named_rows(path, blocks)
    optics = blocks.get("optics")
    if optics is not None and GROUP in rows and GROUP in optics:
        rows, groups = (table.assign(**{GROUP: table[GROUP].map(_word)}) for table in (rows, optics))
        groups = groups.drop_duplicates(GROUP)
        own = [column for column in groups if column == GROUP or column not in rows]
        rows = rows.merge(groups[own], on=GROUP, how="left")
    folders = (relion_project, path.parent)
    return [
        ListedMicrograph(
            row[name],
            find_listed(row[name], folders),
            _optics(row),
            own_A,
            "movie" if name == MOVIE else "micrograph",
            find_listed(gain, folders) if isinstance(gain := row.get(GAIN), str) and gain else None,
            original_pixel_size_A=original_A,
        )
        for row in rows.to_dict("records")
        for own_A, original_A in [_pixel_sizes(row, is_movie=name == MOVIE)]
    ]


def _word(group: object) -> str:
    """Return a group in one way of writing: one word in a column makes words of all its numbers."""
    try:
        return f"{float(str(group)):g}"
    except ValueError:
        return str(group)


def find_listed(name: str, folders: Iterable[Path]) -> Path:
    """Return ``name`` in the first folder that holds it; in the first of all if none does."""
    candidates = [folder / name for folder in folders]
    return next((path for path in candidates if _exists(path)), candidates[0])


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, not permitted, a NUL inside: its reader says so
        return False


def _star_blocks(path: Path) -> "dict[str, pd.DataFrame]":
    check_length(path)
    try:
        return read_star(path, ("rlnMicrographName", MOVIE, GAIN))
    # The parser meets a damaged file with whatever its parts raise (Type, Value, Index, Parser errors).
    except Exception as error:
        raise UsageError(f"STAR file {str(path)!r} cannot be read: {brief(error)}") from error


def _named_rows(path: Path, blocks: "dict[str, pd.DataFrame]") -> "tuple[pd.DataFrame, str]":
    """Return the rows of the images, and the column of their names."""
    for block, name in (("micrographs", "rlnMicrographName"), ("movies", MOVIE)):
        if block in blocks and name in blocks[block]:
            return _checked(path, blocks[block], name)
    for name in ("rlnMicrographName", MOVIE):
        named = [block for block in blocks.values() if name in block]
        if len(named) == 1:
            return _checked(path, named[0], name)
    found = brief([f"data_{name}" for name in blocks]) if blocks else "no data block"
    raise UsageError(
        f"STAR file {str(path)!r} has {found}; expected data_micrographs, data_movies, or one block, "
        f"with rlnMicrographName or {MOVIE}"
    )


def _checked(path: Path, rows: "pd.DataFrame", name: str) -> "tuple[pd.DataFrame, str]":
    if not rows.columns.is_unique or not all(isinstance(one, str) for one in rows[name]):
        raise UsageError(f"STAR file {str(path)!r} has repeated columns or rows without {name}")
    return rows, name


def check_length(path: Path) -> None:
    """Refuse a file that is too long for a list."""
    length = path.stat().st_size
    if length > MAX_LIST_BYTES:
        raise UsageError(f"list {str(path)!r} has {length} bytes; at most {MAX_LIST_BYTES} are read")


def _optics(row: dict[Any, Any]) -> Optics | None:
    voltage_kV = _positive(row.get("rlnVoltage"))
    aberration_mm = _number(row.get("rlnSphericalAberration"))  # 0 on a corrected microscope
    amplitude_contrast = _number(row.get("rlnAmplitudeContrast"))
    if voltage_kV is None or aberration_mm is None or amplitude_contrast is None:
        return None
    return Optics(voltage_kV, aberration_mm, amplitude_contrast)


def _pixel_sizes(row: dict[Any, Any], *, is_movie: bool) -> tuple[float | None, float | None]:
    """Return the pixel sizes of an image and of the movie that it was made of.

    rlnImagePixelSize is the image's, but of a particle's, which may be scaled; so is the detector's.
    """
    original_A, detector_A = _positive(row.get(ORIGINAL_SIZE)), _from_detector(row)
    if is_movie:
        return (original_A or detector_A,) * 2
    own_A = _positive(row.get(OWN_SIZE))
    if PARTICLE in row:
        return own_A, original_A or detector_A
    return own_A or _positive(row.get("rlnImagePixelSize")) or detector_A, original_A


def _from_detector(row: dict[Any, Any]) -> float | None:
    """Return the pixel size that RELION 3.0 and older gives as detector pixel and magnification."""
    detector_um, magnification = (
        _positive(row.get("rlnDetectorPixelSize")),
        _positive(row.get("rlnMagnification")),
    )
    return detector_um * MICRONS_A / magnification if detector_um and magnification else None


def _positive(value: object) -> float | None:
    """Return a number above zero; ``None`` for anything else that a column may hold."""
    number = _number(value)
    return number if number is not None and is_positive(number) else None


def _number(value: object) -> float | None:
    """Return a number of at least zero; ``None`` for anything else that a column may hold."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None
