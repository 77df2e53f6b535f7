"""Where exported files lie."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

from cryopick_ray.errors import PicksError, brief
from cryopick_ray.formats.coordinates import Coordinates
from cryopick_ray.formats.cs_picks import strip_uid
from cryopick_ray.micrographs.fault import fault_of
from cryopick_ray.micrographs.reader import MOVIE_SUFFIXES, SUFFIXES
from cryopick_ray.micrographs.roles import exposure_of

RELION_ENDINGS = ("_manualpick", "_autopick", "_extract")
FORMULA = re.compile(r"[=+\-@]")
"""How a cell begins that a spreadsheet runs; tabs and line breaks, which count as well, no name has."""


def relative_path(micrograph_id: str) -> PurePosixPath:
    """Return a micrograph's id as a path that stays below the folder it is joined to.

    Raises
    ------
    PicksError
        The id is absolute, has an empty, ``.`` or ``..`` part, a control character (which no text format
        could hold), or a name that is too long for the files made of it.
    """
    parts = micrograph_id.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise PicksError(
            f"micrograph id {micrograph_id!r} cannot name a file; expected a relative path without empty,"
            " '.' or '..' parts: rename the micrograph and pick again"
        )
    if fault := fault_of(micrograph_id):
        raise PicksError(f"micrograph id {brief(micrograph_id)} cannot name a file: {fault}")
    return PurePosixPath(*parts)


def without_extension(micrograph_id: str) -> PurePosixPath:
    """Return the path of ``micrograph_id`` without ``.mrc``, ``.tif``, ``.mrc.gz`` and the like."""
    return PurePosixPath(without_ending(str(relative_path(micrograph_id)), (*SUFFIXES, *MOVIE_SUFFIXES)))


def bare_name(name: str) -> str:
    """Return a micrograph's path without extension, and without what RELION and CryoSPARC add to names."""
    return without_ending(strip_uid(name), (*SUFFIXES, *MOVIE_SUFFIXES, *RELION_ENDINGS))


def exposure_name(name: str) -> str:
    """Return what names of all images of one exposure share, in whatever folders and programs they are."""
    return PurePosixPath(exposure_of(f"{bare_name(name)}.mrc")[0]).name


def without_ending(name: str, endings: Iterable[str]) -> str:
    """Return a name without the longest of some endings that it has, in any case."""
    found = [ending for ending in endings if name.lower().endswith(ending) and len(ending) < len(name)]
    return name[: -len(max(found, key=len))] if found else name


def complete(
    picks: Iterable[Coordinates], name: Callable[[str], PurePosixPath], say: Callable[[str], None]
) -> Iterator[tuple[PurePosixPath, Coordinates]]:
    """Yield every micrograph that did not fail, with its name in the exported files.

    Parameters
    ----------
    name
        Makes it of the micrograph's id; :class:`PicksError` where the format cannot hold it.
    say
        Told of those that are left out for that.

    Raises
    ------
    PicksError
        Two micrographs would share a name.
    """
    taken: dict[PurePosixPath, str] = {}
    for one in picks:
        micrograph_id = one.micrograph.micrograph_id
        if one.micrograph.status != "complete":
            continue
        try:
            path = name(micrograph_id)
        except PicksError as error:
            say(f"left out: {error}")
            continue
        if path in taken:
            raise PicksError(
                f"micrographs {taken[path]!r} and {micrograph_id!r} would both be {str(path)!r} in this"
                " format; expected distinct names: use `format` star or csv, which keep the whole id"
            )
        taken[path] = micrograph_id
        yield path, one
