"""Files, folders and tables of coordinates -> the particles of each micrograph, whatever format they have."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryopick_ray.errors import PicksError, UsageError, brief
from cryopick_ray.formats.coordinates import Coordinates, picked
from cryopick_ray.formats.export_paths import without_ending
from cryopick_ray.formats.format import Format, Note
from cryopick_ray.formats.formats import FORMATS, READ
from cryopick_ray.formats.relion import job_folder
from cryopick_ray.formats.star import STAR
from cryopick_ray.formats.text import MAX_BYTES
from cryopick_ray.micrographs.cs_table import GROUP, TABLE
from cryopick_ray.picks.index import INDEX
from cryopick_ray.picks.table import open_table
from cryopick_ray.store.place import is_bucket

HEAD_BYTES = 2**14
OWN = "table"
"""What our own table is called, which is a folder."""
READABLE = tuple(FORMATS[name] for name in READ)


class UnclearFormatError(UsageError):
    """What is read may be of several formats, or is of none that its content or name tell."""


@dataclass(frozen=True)
class FoundCoordinates:
    """What was read.

    Attributes
    ----------
    format
        Its name; ``table`` for our own.
    coordinates
        A micrograph's particles once each, in the order of the files.
    notes
        What was left out, and why.
    """

    format: str
    coordinates: tuple[Coordinates, ...]
    notes: tuple[str, ...]


def read_coordinates(source: str | Path, format: str | None = None) -> FoundCoordinates:
    """Read a file, a folder of files and its folders, or a run's or a table's folder or bucket.

    Of files that hold the particles of one micrograph, the name is the micrograph's; those of a folder are
    of one format. A run's ``coordinates/`` is read once, though RELION finds the same in several files there.

    Parameters
    ----------
    format
        One of :data:`~cryopick_ray.formats.formats.READ`; found from the content, then the suffix, where
        ``None``.

    Raises
    ------
    UsageError
        There is no such file or folder, no coordinates are in it, or the format is not clear.
    PicksError
        A file cannot be read, or a micrograph's particles are in two files; the message names them.
    """
    if format is not None and format not in READ:
        raise UsageError(f"format is {format!r}, expected one of {', '.join(READ)}: change `from`")
    if is_table(source):
        return FoundCoordinates(
            OWN, tuple(one for one in picked(open_table(source)) if _is_complete(one)), ()
        )
    path = Path(source)
    if not (path.is_dir() or path.is_file()):
        raise UsageError(f"{str(source)!r} does not exist")
    notes: list[str] = []
    root = _root(path)
    if job_folder.looks_like(path) and format in (None, STAR.name):
        files = [(file, STAR) for file in job_folder.files_of(path)]
    else:
        files = _chosen(root, format, notes.append) if path.is_dir() else [(path, _format_of(path, format))]
    if len(kinds := {kind.name: file for file, kind in files}) > 1:
        (one, first), (other, second), *_ = sorted(kinds.items())
        raise UnclearFormatError(
            f"{path} holds {FORMATS[one].title}, {first} and {FORMATS[other].title}, {second}; "
            "expected files of one format"
        )
    known: dict[str, tuple[Coordinates, Path]] = {}
    without = []
    for file, kind in files:
        read = _read(file, kind, _own_name(file.relative_to(root), kind), notes.append)
        if not read:
            without.append(file.name)
        for coordinates in read:
            name = coordinates.micrograph.micrograph_id
            if name in known:
                raise PicksError(
                    f"{file} and {known[name][1]} both hold the particles of {name!r}; keep one of them"
                )
            known[name] = coordinates, file
    if without:
        more = f" and {len(without) - 1} more" if len(without) > 1 else ""
        notes.append(f"without coordinates, left out: {without[0]}{more}")
    if not known:
        told = f" ({notes[0]})" if notes else ""
        raise UsageError(f"{str(source)!r} holds no coordinates{told}")
    return FoundCoordinates(files[0][1].name, tuple(one for one, _ in known.values()), tuple(notes))


def is_table(source: str | Path) -> bool:
    """Tell whether a place is a table of ours, or a run that has one."""
    if is_bucket(str(source)):
        return True
    return any((Path(source) / inside / INDEX).is_file() for inside in ("", "table"))


def detect(path: Path) -> list[Format]:
    """Return the formats that a file may have: by words in it, then by its suffix and counts of numbers."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES).decode("utf-8-sig", "replace")
    told = [one for one in READABLE if one.looks_like]
    suited = [one for one in told if path.name.lower().endswith(one.suffixes)]
    alike = [one for one in told if one.looks_like and one.looks_like(head)]
    if marked := [one for one in alike if one.is_marked]:
        return marked
    if both := [one for one in alike if one in suited]:
        return both
    return suited if len(suited) == 1 else alike


def _root(path: Path) -> Path:
    """Return the folder below which names of files are those of micrographs."""
    own = path / "star"
    if own.is_dir() and (path / "autopick.star").is_file():  # as a run leaves its coordinates
        return own
    return path if path.is_dir() else path.parent


def _format_of(path: Path, format: str | None) -> Format:
    found = [FORMATS[format]] if format else _detected(path)
    if len(found) != 1:
        what = f"may be {' or '.join(one.name for one in found)}" if found else "has no known format"
        raise UnclearFormatError(f"{path} {what}; expected one of {', '.join(READ)}")
    return found[0]


def _chosen(folder: Path, format: str | None, note: Note) -> list[tuple[Path, Format]]:
    """Return the coordinate files of a folder, each with its format."""
    found = []
    suffixes = tuple(suffix for one in READABLE for suffix in one.suffixes if format in (None, one.name))
    for path in sorted(folder.rglob("*")):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if is_hidden or not (path.name.lower().endswith(suffixes) and path.is_file()):
            continue
        if path.suffix.lower() == GROUP and path.with_suffix(TABLE).is_file():
            continue  # it names the table beside it
        if format or _detected(path):
            found.append((path, _format_of(path, format)))
        else:
            note(f"{path.name} holds no coordinates that are known here: left out")
    return found


def _detected(path: Path) -> list[Format]:
    try:
        return detect(path)
    except OSError as error:
        raise PicksError(f"{path} cannot be read: {brief(error)}; mend it or take it away") from error


def _own_name(path: Path, format: Format) -> str:
    """Return what a file's name calls its micrograph."""
    return without_ending(without_ending(path.as_posix(), format.suffixes), format.endings)


def _read(path: Path, format: Format, name: str, note: Note) -> Sequence[Coordinates]:
    assert format.read is not None
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise PicksError(
                f"{path} has {size} bytes; expected coordinates in at most {MAX_BYTES}: split it"
            )
        return tuple(format.read(path, name, note))
    except UsageError:
        raise
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise PicksError(
            f"{path} is not a readable {format.title} file: {brief(error)}; mend it or take it away"
        ) from error


def _is_complete(coordinates: Coordinates) -> bool:
    return coordinates.micrograph.status == "complete"
