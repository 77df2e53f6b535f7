"""CryoSPARC's tables: a ``.cs`` file is an array of rows, a ``.csg`` group names several of the same rows."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from cryopick_ray.errors import UsageError, brief
from cryopick_ray.micrographs.star_list import find_listed
from cryopick_ray.plain_data import MAX_YAML_BYTES, parse_yaml, yaml_complaint

TABLE, GROUP = ".cs", ".csg"
NUMPY, STREAM = b"\x93NUMPY", b"\x95CSDAT"
MOST_HEADER_BYTES = 10**5
"""Of the description of columns: exposures with all their results take some ten thousand."""
MOST_RESULTS = 256
"""Of a group; jobs with a hundred classes have as many."""
MOST_BESIDE = 16
UID, PASSTHROUGH = "uid", "passthrough"


class CsTable:
    """Rows of one or several files, joined by ``uid``; a column is in the first that has it.

    Parameters
    ----------
    path
        The file that messages name.
    parts
        Rows of each file; the first one's are the table's.
    owners
        The part that holds the columns of a prefix, where it is not the first that has them.
    """

    def __init__(
        self, path: Path, parts: Iterable[NDArray[np.void]], owners: Mapping[str, NDArray[np.void]]
    ) -> None:
        self.path = path
        self._parts = tuple(parts)
        self._owners = owners
        self._places: dict[int, NDArray[np.intp]] = {}

    def __len__(self) -> int:
        return len(self._parts[0])

    def has(self, name: str) -> bool:
        """Tell whether there is a column of that name, of whatever kind."""
        return any(name in (part.dtype.names or ()) for part in self._parts)

    def texts(self, name: str, at: NDArray[np.intp] | None = None) -> list[str]:
        """Return a column of texts, empty where it is missing, of all rows or of those ``at``."""
        found = self._find(name, "SU", 1)
        if found is None:
            return [""] * (len(self) if at is None else len(at))
        values, places = found
        places = places if at is None else places[at]
        try:
            texts = [
                value.decode() if isinstance(value, bytes) else value
                for value in values[places.clip(0)].tolist()
            ]
            for text in texts:
                text.encode()
        except ValueError as error:  # bytes that are no UTF-8, numbers beyond Unicode
            raise UsageError(f"{str(self.path)!r} has paths that are no text: {brief(error)}") from error
        return [text if place >= 0 else "" for text, place in zip(texts, places.tolist(), strict=True)]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column of numbers, as nan where it is missing or none."""
        found = self._find(name, "fiu", 1)
        if found is None:
            return np.full(len(self), np.nan)
        values, places = found
        return np.where(places >= 0, values[places.clip(0)].astype(np.float64), np.nan)

    def values(self, name: str) -> list[float]:
        """Return a column of numbers as they were meant before they were stored in single precision."""
        return [as_written(number) for number in self.numbers(name).tolist()]

    def pairs(self, name: str) -> NDArray[np.float64]:
        """Return ``(n, 2)`` numbers, nan where they are missing or none."""
        found = self._find(name, "f", 2)
        if found is None or found[0].shape[1] != 2:
            return np.full((len(self), 2), np.nan)
        values, places = found
        return np.where(places[:, None] >= 0, values[places.clip(0)].astype(np.float64), np.nan)

    def whole(self, name: str) -> list[int | None]:
        """Return a column of whole numbers, exact, ``None`` where it is missing or none."""
        found = self._find(name, "u", 1)
        if found is None:
            return [None] * len(self)
        values, places = found
        taken = values[places.clip(0)].tolist()
        return [one if place >= 0 else None for one, place in zip(taken, places.tolist(), strict=True)]

    def shapes(self, name: str) -> NDArray[np.int64]:
        """Return ``(n, 2)`` heights and widths, zero where they are missing or none."""
        found = self._find(name, "iu", 2)
        if found is None or found[0].shape[1] != 2:
            return np.zeros((len(self), 2), np.int64)
        values, places = found
        return np.where(places[:, None] >= 0, values[places.clip(0)].astype(np.int64), 0)

    def _find(self, name: str, kinds: str, dimensions: int) -> tuple[NDArray[Any], NDArray[np.intp]] | None:
        """Return a column of the part that has it, and for each row its place there, -1 for none."""
        owner = self._owners.get(name.partition("/")[0])
        for part in (*(() if owner is None else (owner,)), *self._parts):
            column = part[name] if name in (part.dtype.names or ()) else None
            if (
                column is not None
                and column.ndim == dimensions
                and column.dtype.kind in kinds
                and len(column)
            ):
                return column, self._placed(part)
        return None

    def _placed(self, part: NDArray[np.void]) -> NDArray[np.intp]:
        if id(part) not in self._places:
            first = self._parts[0]
            own = part is first
            self._places[id(part)] = np.arange(len(first)) if own else _places(first[UID], part[UID])
        return self._places[id(part)]


def read_table(path: Path, say: Callable[[str], None] = lambda text: None) -> CsTable:
    """Open a ``.cs`` file with the passthrough beside it that has its rows, or the files of a ``.csg`` group.

    Parameters
    ----------
    say
        Told of a passthrough that cannot be read.

    Raises
    ------
    UsageError
        A file is of another kind, or a group names none.
    """
    if path.suffix.lower() != GROUP:
        rows = load(path)
        return CsTable(path, (rows, *_beside(path, rows, say)), {})
    members = _members(path)
    loaded = {member: load(member) for member in dict.fromkeys(members.values())}
    parts = sorted(loaded.values(), key=len)  # CryoSPARC takes the rows that all files have
    if len(parts) > 1 and (odd := next((one for one, rows in loaded.items() if not _has_uids(rows)), None)):
        raise UsageError(f"{str(odd)!r} has no uid, by which the files of {str(path)!r} are joined")
    return CsTable(path, parts, {prefix: loaded[member] for prefix, member in members.items()})


def load(path: Path) -> NDArray[np.void]:
    """Map the rows of a ``.cs`` file.

    Raises
    ------
    UsageError
        It is of another kind.
    """
    if not os.path.isfile(path):
        raise UsageError(f"{str(path)!r} is not there, or is no file")
    try:
        with path.open("rb") as file:
            magic = file.read(len(NUMPY))
        if magic == STREAM:
            raise UsageError(
                f"{str(path)!r} is CryoSPARC's compressed stream; give the .cs of the job or of its export"
            )
        if magic != NUMPY:
            raise UsageError(f"{str(path)!r} is no .cs file: it does not begin as a NumPy array")
        # Without pickles nothing is executed, and mapping checks the stated size against the file's.
        rows = np.load(path, mmap_mode="r", allow_pickle=False, max_header_size=MOST_HEADER_BYTES)
    except UsageError:
        raise
    # NumPy meets a damaged header with whatever its parser raises (Token, Syntax, Value, Memory errors).
    except Exception as error:
        raise UsageError(f"{str(path)!r} cannot be read: {type(error).__name__}: {brief(error)}") from error
    if rows.dtype.names is None or rows.ndim != 1:
        raise UsageError(f"{str(path)!r} holds a plain array; expected one with named columns")
    if not rows.dtype.itemsize:  # any number of rows would fit into no bytes
        raise UsageError(f"{str(path)!r} has only columns of no width; expected names of exposures")
    return np.asarray(rows)


def as_written(value: float) -> float:
    """Return a number that was stored in single precision as it was meant."""
    return float(f"{value:.7g}")


def _beside(path: Path, rows: NDArray[np.void], say: Callable[[str], None]) -> list[NDArray[np.void]]:
    """Return the tables beside a file that hold what its job took over of the same rows, likeliest first."""
    if not _has_uids(rows) or not len(rows):
        return []
    if PASSTHROUGH in path.name:  # what the job made itself
        own = path.name.rpartition(f"{PASSTHROUGH}_")[2]
        found = [path.with_name(own)] if own != path.name and path.with_name(own).is_file() else []
    else:
        names = (one for one in path.parent.iterdir() if PASSTHROUGH in one.name and one.suffix == TABLE)
        found = sorted(names, key=lambda name: (not name.name.endswith(path.name), name.name))[:MOST_BESIDE]
    parts = []
    for one in found:
        try:
            other = load(one)
        except UsageError as error:
            say(f"not joined: {error}")
            continue
        if _has_uids(other) and (_places(rows[UID], other[UID]) >= 0).any():
            parts.append(other)
    return parts


def _members(path: Path) -> dict[str, Path]:
    """Return the file of each result that a group names."""
    try:
        if (size := path.stat().st_size) > MAX_YAML_BYTES:
            raise UsageError(f"{str(path)!r} has {size} bytes; expected a group in at most {MAX_YAML_BYTES}")
        found = parse_yaml(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{str(path)!r} is no .csg group: {yaml_complaint(error)}") from error
    results = found.get("results") if isinstance(found, dict) else None
    if not isinstance(results, dict) or not results:
        raise UsageError(f"{str(path)!r} names no results; expected a .csg group of CryoSPARC")
    if len(results) > MOST_RESULTS:
        raise UsageError(f"{str(path)!r} names {len(results)} results; expected at most {MOST_RESULTS}")
    members = {}
    for name, result in results.items():
        metafile = result.get("metafile") if isinstance(result, dict) else None
        if not isinstance(metafile, str) or not metafile.removeprefix(">"):
            raise UsageError(f"{str(path)!r}: its result {brief(name)} names no `metafile`")
        # With > a path begins in the group's folder, else in the project's.
        member = find_listed(metafile.removeprefix(">"), (path.parent, path.parent.parent))
        if not os.path.isfile(member):  # False, not an error, of a name too long
            raise UsageError(f"{str(path)!r} names {brief(metafile)}, which is not there, or is no file")
        members[name] = member
    return members


def _has_uids(rows: NDArray[np.void]) -> bool:
    names = rows.dtype.names or ()
    return UID in names and rows[UID].ndim == 1 and rows[UID].dtype.kind == "u"


def _places(uids: NDArray[Any], others: NDArray[Any]) -> NDArray[np.intp]:
    """Return for each uid its place among the others, -1 for none."""
    if not len(others):
        return np.full(len(uids), -1, np.intp)
    order = np.argsort(others, kind="stable")
    at = np.searchsorted(others, uids, sorter=order).clip(max=len(others) - 1)
    return np.where(others[order[at]] == uids, order[at], -1)
