"""CryoSPARC's exposures: a row of its tables for each micrograph or movie."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from cryopick_ray.errors import UsageError, brief
from cryopick_ray.micrographs.cs_optics import ctf_columns, group_columns, optics_of
from cryopick_ray.micrographs.cs_table import CsTable, as_written, read_table
from cryopick_ray.micrographs.star_list import ListedMicrograph, check_length, find_listed
from cryopick_ray.units import is_positive

IMAGES = ("micrograph_blob", "micrograph_blob_non_dw")
MOVIES = "movie_blob"
MOST_UID, MOST_GROUP = 2**64, 2**32


@dataclass(frozen=True)
class CsExposure:
    """What CryoSPARC calls an exposure: picks are joined to theirs by ``uid``.

    Attributes
    ----------
    uid
        Unsigned, 64 bits.
    exp_group_id
        Its exposure group; ``None`` if the list does not say.
    path
        Of its image in the project, as the list has it, maybe with ``>`` before it.
    """

    uid: int
    exp_group_id: int | None = None
    path: str = ""

    def to_text(self, columns: Mapping[str, str] | None = None) -> str:
        """Return the JSON that is carried with a micrograph as ``listed``, beside columns of RELION's."""
        return json.dumps(asdict(self) | dict(columns or {}))

    @classmethod
    def from_text(cls, listed: str) -> "CsExposure | None":
        """Return what a micrograph's ``listed`` says; ``None`` if its list is none of CryoSPARC."""
        found = json.loads(listed) if listed else {}
        uid, group, path = (found.get(name) for name in ("uid", "exp_group_id", "path"))
        if not isinstance(uid, int) or not 0 <= uid < MOST_UID:
            return None
        known = isinstance(group, int) and 0 <= group < MOST_GROUP
        return cls(uid, group if known else None, path if isinstance(path, str) else "")

    @property
    def project_path(self) -> str:
        """Its image in the project, without the mark."""
        return self.path.removeprefix(">")


def read_cs_list(
    path: Path,
    working_folder: Path,
    say: Callable[[str], None] = lambda text: None,
    leave_out: Callable[[ListedMicrograph, str], None] = lambda one, reason: None,
) -> list[ListedMicrograph]:
    """Read the micrographs of exposures, or the movies where there are no micrographs at all.

    Each row's image is the dose-weighted one, else the other; a row without any, where others have one, is
    left out. Paths lie in the CryoSPARC project, which is the folder around the job's, else in the file's own
    folder or one above, else in ``working_folder``. A ``>`` before a path marks it as the project's own; the
    number that CryoSPARC puts before a file's name is part of it. What other files say of the same exposures
    is joined by uid: see :func:`~cryopick_ray.micrographs.cs_table.read_table`. Exposure groups and CTF are
    carried in RELION's words: see :mod:`~cryopick_ray.micrographs.cs_optics`.

    Parameters
    ----------
    path
        ``.cs`` or ``.csg``.
    say
        Told what is left out.
    leave_out
        Given each row that is left out, under the name of any file that it has, and why.

    Raises
    ------
    UsageError
        The file is of another kind, or names no micrographs and no movies.
    """
    check_length(path)
    table = read_table(path, say)
    paths = {blob: table.texts(f"{blob}/path") for blob in (*IMAGES, MOVIES)}
    blobs = [_first_filled(paths, IMAGES, row) for row in range(len(table))]
    if not any(blobs):
        blobs = [_first_filled(paths, (MOVIES,), row) for row in range(len(table))]
    if not any(blobs):
        expected = " or ".join(f"{path}/path" for path in paths)
        raise UsageError(f"{str(path)!r} names no exposures; expected {expected}")
    folders = (path.parent.parent, path.parent, *path.parents[2:5], working_folder)
    if missing := [row for row, blob in enumerate(blobs) if not blob]:
        what = "movie" if MOVIES in blobs else "aligned image"
        names = [_any_name(paths, row) for row in missing]
        for name in names:
            leave_out(ListedMicrograph(name, find_listed(name, folders)), f"no {what} in {path.name}")
        say(
            f"left out: {len(missing)} of {len(blobs)} exposures have no {what} in {path.name}: "
            f"{brief(names[0])}{', ...' * (len(names) > 1)}"
        )
    return _listed(table, paths, blobs, folders)


def _listed(
    table: CsTable, paths: dict[str, list[str]], blobs: list[str], folders: tuple[Path, ...]
) -> list[ListedMicrograph]:
    gains = table.texts("gain_ref_blob/path")
    sizes_A = {blob: table.numbers(f"{blob}/psize_A") for blob in paths}
    optics, ids = optics_of(table), _group_ids(table)
    groups = [json.dumps(group) if group else "" for group in group_columns(table, ids, optics)]
    exposures = _exposures(table, paths, blobs, ids)
    found = []
    for row, blob in enumerate(blobs):
        if blob:
            name, gain = (text.removeprefix(">") for text in (paths[blob][row], gains[row]))
            is_movie, size_A = blob == MOVIES, as_written(sizes_A[blob][row])
            found.append(
                ListedMicrograph(
                    name,
                    find_listed(name, folders),
                    optics[row],
                    size_A if is_positive(size_A) else None,
                    "movie" if is_movie else "micrograph",
                    find_listed(gain, folders) if is_movie and gain else None,
                    optics_group=groups[row],
                    listed=exposures[row],
                )
            )
    return found


def _first_filled(paths: dict[str, list[str]], blobs: tuple[str, ...], row: int) -> str:
    return next((blob for blob in blobs if paths[blob][row].removeprefix(">")), "")


def _any_name(paths: dict[str, list[str]], row: int) -> str:
    found = (names[row].removeprefix(">") for names in paths.values())
    return next(filter(None, found), f"row {row + 1}")


def _group_ids(table: CsTable) -> list[int | None]:
    """Return the exposure group of each row: the microscope's, else the CTF's."""
    both = (table.whole(f"{origin}/exp_group_id") for origin in ("mscope_params", "ctf"))
    return [one if one is not None else other for one, other in zip(*both, strict=True)]


def _exposures(
    table: CsTable, paths: dict[str, list[str]], blobs: list[str], groups: list[int | None]
) -> list[str]:
    rows = zip(table.whole("uid"), blobs, groups, ctf_columns(table), strict=True)
    return [
        _text(None if uid is None or not blob else CsExposure(uid, group, paths[blob][row]), ctf)
        for row, (uid, blob, group, ctf) in enumerate(rows)
    ]


def _text(exposure: CsExposure | None, ctf: Mapping[str, str]) -> str:
    return exposure.to_text(ctf) if exposure else json.dumps(ctf) if ctf else ""
