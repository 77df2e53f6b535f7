"""Decisions of people on picks, one row each; the last on a place, a micrograph or a disc counts."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import floor
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.filaments.trace import Trace

Action = Literal["exclude", "include", "remove", "add", "keep", "junk", "clean", "trace"]
OF_MICROGRAPHS, OF_DISCS = ("exclude", "include"), ("junk", "clean")
REACH_PX = 1.0
"""Largest distance of a decision from its candidate: as far as rounding moves it."""
Places = NDArray[np.float32]
"""``(n, 2)`` x and y in pixels of the micrograph."""
Turns = NDArray[np.int64]
"""``(n,)`` rising numbers: the order in which decisions were made."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of a person.

    Attributes
    ----------
    x_px, y_px
        Of a place, of the middle of a disc, or of a vertex of a filament, in pixels of the micrograph; 0 of a
        whole micrograph. A call's vertices in a micrograph are one filament, in their order.
    radius_px
        Of a disc, else 0.
    by, at
        Who decided, and when: UTC as ``2026-11-30T10:00:00.123Z``. Empty where a file does not say, which is
        earlier than all that do.
    """

    micrograph_id: str
    action: Action
    x_px: float = 0.0
    y_px: float = 0.0
    radius_px: float = 0.0
    by: str = ""
    at: str = ""

    @property
    def call(self) -> tuple[str, str]:
        """Time and person: decisions of one call were made at once."""
        return self.at, self.by

    @property
    def disc(self) -> tuple[float, float, float]:
        """Centre and radius."""
        return self.x_px, self.y_px, self.radius_px


@dataclass(frozen=True)
class Decisions:
    """The resulting decisions on one micrograph.

    Attributes
    ----------
    exclude
        Whether the whole micrograph is excluded.
    add
        Places of added picks.
    marked_places, is_removed, marked_turn
        Places of candidates that are removed or, where ``is_removed`` is false, kept; each one's turn.
    discs, disc_turn
        ``(k, 3)`` float64 x, y and radius in pixels of junk, and each one's turn.
    traces, trace_turn
        Filaments that were drawn, and each one's turn.
    """

    exclude: bool
    add: Places
    marked_places: Places
    is_removed: NDArray[np.bool_]
    marked_turn: Turns
    discs: NDArray[np.float64]
    disc_turn: Turns
    traces: tuple[Trace, ...]
    trace_turn: Turns

    @property
    def adds(self) -> bool:
        """Whether there is anything to add."""
        return len(self.add) > 0 or len(self.traces) > 0


def decisions_of(rows: Iterable[Decision]) -> dict[str, Decisions]:
    """Return the resulting decisions by micrograph; rows of one call keep their order."""
    by_micrograph: defaultdict[str, list[Decision]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.call):
        by_micrograph[row.micrograph_id].append(row)
    return {name: _resulting(rows) for name, rows in by_micrograph.items()}


def _resulting(rows: Sequence[Decision]) -> Decisions:
    """Return the result of one micrograph's decisions, in the order they were made.

    An added pick stays unless later a place within reach of it is removed or added anew, or junk is painted
    over it. Decisions of one call do not replace each other.
    """
    whole = [row.action for row in rows if row.action in OF_MICROGRAPHS]
    discs: dict[tuple[float, float, float], int] = {}
    for turn, row in enumerate(rows):
        if row.action == "junk":
            discs[row.disc] = turn
        elif row.action == "clean":
            discs.pop(row.disc, None)
    marked = [(turn, row) for turn, row in enumerate(rows) if row.action in ("remove", "keep")]
    lines = [(turns[-1], line) for turns, line in drawn(rows) if line is not None]
    painted = np.array([*discs], np.float64).reshape(-1, 3), np.array([*discs.values()], np.int64)
    return Decisions(
        exclude=whole[-1:] == ["exclude"],
        add=_clear(*_remaining_added(rows), *painted),
        marked_places=_places(row for _, row in marked),
        is_removed=np.array([row.action == "remove" for _, row in marked], bool),
        marked_turn=np.array([turn for turn, _ in marked], np.int64),
        discs=painted[0],
        disc_turn=painted[1],
        traces=tuple(line for _, line in lines),
        trace_turn=np.array([turn for turn, _ in lines], np.int64),
    )


def drawn(rows: Sequence[Decision]) -> list[tuple[list[int], Trace | None]]:
    """Return the filaments drawn in a micrograph: their rows, and ``None`` for one of a single place."""
    calls: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for turn, row in enumerate(rows):
        if row.action == "trace":
            calls[row.call].append(turn)
    return [(turns, _line([rows[turn] for turn in turns])) for turns in calls.values()]


def _line(rows: Sequence[Decision]) -> Trace | None:
    points = np.array([(row.x_px, row.y_px) for row in rows], np.float64)
    points = points[np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))]
    return Trace(points) if len(points) >= 2 else None


def _remaining_added(rows: Sequence[Decision]) -> tuple[Places, Turns]:
    """Return places and turns of added picks that no later decision on their place takes back."""
    later: defaultdict[tuple[int, int], list[Decision]] = defaultdict(list)
    stays: list[int] = []
    for turn in range(len(rows) - 1, -1, -1):
        row = rows[turn]
        if row.action not in ("add", "remove"):
            continue
        if row.action == "add" and not any(_replaces(other, row) for other in _near(later, row)):
            stays.append(turn)
        later[floor(row.x_px), floor(row.y_px)].append(row)
    stays.reverse()
    return _places(rows[turn] for turn in stays), np.array(stays, np.int64)


def _near(cells: dict[tuple[int, int], list[Decision]], row: Decision) -> Iterator[Decision]:
    """Yield the decisions in the cells of a pixel that reach a place."""
    x, y = floor(row.x_px), floor(row.y_px)
    for dx, dy in product((0, -1, 1), repeat=2):
        for other in cells.get((x + dx, y + dy), ()):
            if (other.x_px - row.x_px) ** 2 + (other.y_px - row.y_px) ** 2 <= REACH_PX**2:
                yield other


def _replaces(later: Decision, added: Decision) -> bool:
    is_same = later == added
    return later.action == "remove" or later.call != added.call or is_same


def _clear(places: Places, turns: Turns, discs: NDArray[np.float64], disc_turn: Turns) -> Places:
    """Return the places over which no junk was painted later."""
    clear = covered(places, discs, disc_turn) < turns
    return places[clear]


def covered(places: Places, discs: NDArray[np.float64], turns: Turns) -> Turns:
    """Return the turn of the last disc that holds each of ``(n, 2)`` places, -1 where there is none."""
    last = np.full(len(places), -1, np.int64)
    for (x_px, y_px, radius_px), turn in zip(discs.tolist(), turns.tolist(), strict=True):
        inside = (places[:, 0] - x_px) ** 2 + (places[:, 1] - y_px) ** 2 <= radius_px**2
        last[inside & (last < turn)] = turn
    return last


def _places(rows: Iterable[Decision]) -> Places:
    return np.array([(row.x_px, row.y_px) for row in rows], np.float32).reshape(-1, 2)
