"""What lies in a bad class of a 2-D classification is not picked."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.errors import UsageError, brief
from cryopick_ray.picks.columns import COLUMNS
from cryopick_ray.picks.reasons import Why
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.table import PickTable

Quality = Literal["good", "doubtful", "junk"]
QUALITIES: tuple[Quality, ...] = get_args(Quality)
"""Of a class, the best first."""
HEAD = ("micrograph", "x_px", "y_px", "class_number", "quality")
REACH_PX = 1.0
"""How far from its particle a candidate may be: as far as rounding moves it."""
MOST_BYTES = 2**32
MOST_CLASSES = 2**20


@dataclass(frozen=True)
class Classified:
    """Particles of one micrograph: ``(n, 2)`` places x, y, ``(n,)`` classes and qualities, by their rank."""

    places: NDArray[np.float32]
    class_number: NDArray[np.int32]
    rank: NDArray[np.uint8]


@dataclass(frozen=True)
class InClass:
    """Marks what lies in a class worse than ``worst``, and notes the class of every particle that has one.

    A candidate that was not classified, such as one at the edge, stays as it is.

    Attributes
    ----------
    files
        Of each classification the particles, by micrograph id or by RELION's name of the micrograph. Of a
        particle that is in several the last counts: a second one, of what a first left, takes nothing of
        the first back.
    """

    files: Sequence[Mapping[str, Classified]]
    worst: Quality

    def __call__(self, picks: MicrographPicks) -> MicrographPicks:
        """Return the picks of a micrograph, marked."""
        numbers = picks.more.get("class_number", COLUMNS["class_number"].nothing(len(picks)))
        is_bad = np.zeros(len(picks), bool)
        for classified in self.files:
            own = _of(classified, picks)
            if own is not None and len(picks):
                is_met, nearest = _met(picks, own)
                numbers = np.where(is_met, own.class_number[nearest], numbers)
                is_bad = np.where(is_met, own.rank[nearest] > QUALITIES.index(self.worst), is_bad)
        return replace(picks, more={**picks.more, "class_number": numbers}).marked(Why.BAD_CLASS, is_bad)


def read_classes(path: Path) -> dict[str, Classified]:
    """Return the classified particles in a CSV file by micrograph.

    Its head is ``micrograph,x_px,y_px,class_number,quality``, as ``cryopick classify2d`` writes it.

    Raises
    ------
    UsageError
        Naming the line that cannot be read, and what was expected.
    """
    found: dict[str, list[tuple[float, float, int, int]]] = {}
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise UsageError(f"`classes` {path} has {size} bytes, expected at most {MOST_BYTES}")
        with path.open(encoding="utf-8-sig", newline="") as file:
            for name, row in _rows(path, csv.reader(file)):
                found.setdefault(name, []).append(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"`classes` {path} cannot be read: {brief(error)}") from error
    return {name: _classified(own) for name, own in found.items()}


def unmet(paths: Sequence[Path], table: PickTable) -> list[str]:
    """Return what a person should know of classes that a table was made with."""
    if not paths:
        return []
    lines = []
    if not any(micrograph.picks for micrograph in table.micrographs) and any(
        one.has(Why.BAD_CLASS).any() for one in table
    ):
        lines.append(f"`classes` {paths[-1]} left no pick: look at its averages, and at `keep_classes`")
    known = {
        name
        for micrograph in table.micrographs
        for name in (micrograph.micrograph_id, micrograph.relion_name)
    }
    for path in paths:
        classified = read_classes(path)
        strange = sum(len(own.places) for name, own in classified.items() if name not in known)
        total = sum(len(own.places) for own in classified.values())
        met = sum(_count_met(picks, classified) for picks in table)
        if strange:
            lines.append(
                f"`classes` {path} has {strange} particles of micrographs that the table does not have"
            )
        if total - strange > met:
            lines.append(f"`classes` {path} has {total - strange - met} particles where no candidate is")
    if left := sum(_unclassified(picks) for picks in table):
        lines.append(
            f"{left} picks are in no class and stay picks; where `classes` of an earlier classification took "
            "them out, give its file, too, before the later one"
        )
    return lines


def _count_met(picks: MicrographPicks, classified: Mapping[str, Classified]) -> int:
    own = _of(classified, picks)
    return int(_met(picks, own)[0].sum()) if own is not None and len(picks) else 0


def _unclassified(picks: MicrographPicks) -> int:
    numbers = picks.more.get("class_number", COLUMNS["class_number"].nothing(len(picks)))
    return int((picks.picked & (numbers < 0)).sum())


def _rows(path: Path, rows: Iterator[list[str]]) -> Iterator[tuple[str, tuple[float, float, int, int]]]:
    if tuple(next(rows, [])) != HEAD:
        raise UsageError(f"`classes` {path}: expected {','.join(HEAD)} as its first line")
    ranks: dict[str, int] = {name: rank for rank, name in enumerate(QUALITIES)}
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        try:
            name, x, y, class_number, quality = row
            made = float(x), float(y), int(class_number), ranks[quality]
            if not (abs(made[0]) < 2**24 and abs(made[1]) < 2**24 and 0 <= made[2] <= MOST_CLASSES):
                raise ValueError
        except (ValueError, KeyError):
            raise UsageError(
                f"`classes` {path}, line {number} is {brief(','.join(row))}; expected {','.join(HEAD)} "
                f"with a quality of {', '.join(QUALITIES)}"
            ) from None
        yield name, made


def _classified(own: list[tuple[float, float, int, int]]) -> Classified:
    x, y, numbers, ranks = zip(*own, strict=True)
    return Classified(
        np.column_stack([x, y]).astype(np.float32), np.array(numbers, np.int32), np.array(ranks, np.uint8)
    )


def _of(classified: Mapping[str, Classified], picks: MicrographPicks) -> Classified | None:
    about = picks.micrograph
    return classified.get(about.micrograph_id) or classified.get(about.relion_name)


def _met(picks: MicrographPicks, own: Classified) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return which candidates are a particle, and which one: the nearest, each of one candidate."""
    candidates = np.column_stack([picks.x_px, picks.y_px])
    away, nearest = map(np.asarray, cKDTree(candidates).query(own.places, distance_upper_bound=REACH_PX))
    is_met, of = np.zeros(len(picks), bool), np.zeros(len(picks), np.intp)
    there = np.flatnonzero(np.isfinite(away))
    is_met[nearest[there]] = True
    of[nearest[there]] = there
    return is_met, of
