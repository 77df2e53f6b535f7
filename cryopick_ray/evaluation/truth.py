"""Coordinate files that people made -> true particles of each micrograph."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cryopick_ray.errors import PicksError, UsageError, brief
from cryopick_ray.micrographs.reader import SUFFIXES
from cryopick_ray.micrographs.star import read_star

MAX_BYTES = 2**29
"""Larger coordinate files are refused unread: ten million particles fit."""
X, Y, MICROGRAPH = "rlnCoordinateX", "rlnCoordinateY", "rlnMicrographName"
RELION_ENDINGS = ("_manualpick", "_autopick")

Centres = NDArray[np.float64]
"""``(n, 2)`` columns (x) and rows (y) of particle centres, in pixels of the source micrograph."""


@dataclass(frozen=True)
class Truth:
    """True particles of many micrographs.

    Attributes
    ----------
    source
        The folder or file they were read from.
    particles
        Centres by micrograph, named by its path as far as the truth knows it, without extension.
    notes
        Files that were left out, and why.
    """

    source: Path
    particles: Mapping[str, Centres]
    notes: tuple[str, ...]

    def name_of(self, micrograph_id: str) -> str | None:
        """Return the name under which the particles of a micrograph are known; ``None`` if they are not.

        Folders on either side may differ, so the stems (file names without extension) must be equal;
        of several equal stems the one with the most equal folders, counted from the file up, is meant.

        Raises
        ------
        PicksError
            If two are equally good.
        """
        wanted = PurePosixPath(bare_name(micrograph_id))
        alike = self._by_stem.get(wanted.name, [])
        depth = {name: _shared_end(PurePosixPath(name).parts, wanted.parts) for name in alike}
        best = [name for name, shared in depth.items() if shared == max(depth.values())]
        if len(best) > 1:
            raise PicksError(
                f"truth of micrograph {micrograph_id!r} may be {best[0]!r} or {best[1]!r} in {self.source}; "
                "give the truth the micrographs' folders"
            )
        return best[0] if best else None

    @cached_property
    def _by_stem(self) -> Mapping[str, list[str]]:
        stems: defaultdict[str, list[str]] = defaultdict(list)
        for name in self.particles:
            stems[PurePosixPath(name).name].append(name)
        return stems


def read_truth(source: Path) -> Truth:
    """Read every ``.star`` and ``.box`` file of a folder and its folders, or one such file.

    A STAR file whose rows name their micrographs (rlnMicrographName, as in RELION's particles.star)
    may hold many; any other file holds the micrograph it is named after (``x.star``, ``x.mrc.star``,
    ``x_manualpick.star`` for ``x.mrc``). STAR coordinates are centres; EMAN ``.box`` lines hold corner
    and size, so the centre is corner + size / 2 (a size of 0: the corner is the centre).

    Raises
    ------
    UsageError
        If there is no such folder or file, or no coordinate file in it.
    PicksError
        If a file cannot be read, or a micrograph's particles are in two files; the message names them.
    """
    if not (source.is_dir() or source.is_file()):
        raise UsageError(
            f"truth {str(source)!r} does not exist; give `truth` a folder of .star or .box files"
        )
    root = source if source.is_dir() else source.parent
    files = sorted(root.rglob("*")) if source.is_dir() else [source]
    particles: dict[str, Centres] = {}
    origin: dict[str, Path] = {}
    notes = []
    for path in files:
        if source.is_dir() and not (path.suffix in READERS and path.is_file()):
            continue
        own_name = bare_name(path.relative_to(root).with_suffix("").as_posix())
        found = _read(path, own_name)
        if not found:
            notes.append(f"{path.name} holds no {X} and {Y}: left out")
        for name, centres in found.items():
            if name in particles:
                raise PicksError(
                    f"{path} and {origin[name]} both hold the particles of {name!r}; keep one of them"
                )
            particles[name], origin[name] = centres, path
    if not particles:
        raise UsageError(
            f"truth {str(source)!r} holds no coordinates; give `truth` a folder of .star or .box files"
        )
    return Truth(source, particles, tuple(notes))


def bare_name(name: str) -> str:
    """Return a micrograph's path without extension, and without what RELION appends to its picks."""
    endings = [ending for ending in (*SUFFIXES, *RELION_ENDINGS) if name.lower().endswith(ending)]
    return name[: -len(max(endings, key=len))] if endings else name


def _shared_end(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    equal = [a == b for a, b in zip(reversed(one), reversed(other), strict=False)]
    return equal.index(False) if False in equal else len(equal)


def _read(path: Path, own_name: str) -> Mapping[str, Centres]:
    reader = READERS.get(path.suffix)
    if reader is None:
        raise UsageError(f"truth {str(path)!r} is neither .star nor .box; convert it to one of them")
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise PicksError(
                f"{path} has {size} bytes; expected coordinates in at most {MAX_BYTES}: split it"
            )
        return reader(path, own_name)
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise PicksError(
            f"{path} is not a readable coordinate file: {brief(error)}; mend it or take it away"
        ) from error


def _read_star(path: Path, own_name: str) -> Mapping[str, Centres]:
    blocks = read_star(path, (X, Y, MICROGRAPH))
    if not blocks:
        raise ValueError("no STAR block in it")
    named: dict[str, list[Centres]] = defaultdict(list)
    for table in blocks.values():
        if X not in table or Y not in table:
            continue
        centres = _centres([np.array(table[name], np.float64) for name in (X, Y)])
        if not table.get(MICROGRAPH):
            named[own_name].append(centres)
            continue
        for name, rows in pd.Series(table[MICROGRAPH]).groupby(table[MICROGRAPH], sort=False).indices.items():
            named[bare_name(str(name))].append(centres[rows])
    return {name: np.concatenate(parts) for name, parts in named.items()}


def _read_box(path: Path, own_name: str) -> Mapping[str, Centres]:
    corners = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) < 4:
            raise ValueError(f"line {number} has {len(fields)} fields; expected corner x, y, width, height")
        try:
            x, y, width, height = (float(field) for field in fields[:4])
        except ValueError as error:
            raise ValueError(f"line {number}: {brief(error)}") from error
        if not (math.isfinite(width) and math.isfinite(height) and min(width, height) >= 0):
            raise ValueError(f"line {number}: a box of {width} x {height} px; expected a size of at least 0")
        corners.append((x + width / 2, y + height / 2))
    return {own_name: _centres(list(zip(*corners, strict=True)) if corners else [[], []])}


def _centres(columns: list[Any]) -> Centres:
    centres = np.column_stack(columns).astype(np.float64)
    if centres.shape[1] != 2:
        raise ValueError(f"{centres.shape[1]} coordinate columns; expected one x and one y")
    if not np.isfinite(centres).all():
        raise ValueError(f"{int((~np.isfinite(centres)).any(axis=1).sum())} rows without finite coordinates")
    return centres


READERS = {".star": _read_star, ".box": _read_box}
