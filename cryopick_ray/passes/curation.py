"""What a person decided about micrographs and picks, kept in a CSV file."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.errors import UsageError, brief, few
from cryopick_ray.picks.columns import COLUMNS, HAND
from cryopick_ray.picks.reasons import Why, none
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.table import PickTable

Action = Literal["exclude", "remove", "add"]
HEAD = ("micrograph_id", "action", "x_px", "y_px")
REACH_PX = 1.0
"""How far from what it means a place may be: as far as rounding moves it."""
MOST_BYTES = 2**30
MOST_PX = 2.0**24
"""From here on float32 does not tell neighbouring pixels apart; no micrograph is as large."""


@dataclass(frozen=True)
class Decisions:
    """Of one micrograph: whether it is excluded, and ``(n, 2)`` places of picks to remove and to add."""

    exclude: bool
    remove: NDArray[np.float32]
    add: NDArray[np.float32]

    @property
    def adds(self) -> bool:
        """Whether there is anything to add."""
        return len(self.add) > 0


@dataclass(frozen=True)
class Curated:
    """Marks what a person removed or excluded, and adds what they added, whatever other passes say of it.

    Of the candidates within a pixel of a place to remove, the nearest is meant. What is added takes the place
    of candidates within a pixel, and has the micrograph's highest score; no other threshold takes it away.
    """

    decisions: Mapping[str, Decisions]

    def __call__(self, picks: MicrographPicks) -> MicrographPicks:
        """Return the picks of a micrograph, marked and completed."""
        own = self.decisions.get(picks.micrograph.micrograph_id)
        if own is None:
            return picks
        picks = picks.marked(Why.REMOVED_BY_HAND, _nearest(picks, own.remove))
        picks = _added(picks, own.add)
        return picks.marked(Why.EXCLUDED_MICROGRAPH, np.full(len(picks), own.exclude))


def read_decisions(path: Path) -> dict[str, Decisions]:
    """Return the decisions in a CSV file by micrograph, whose head is ``micrograph_id,action,x_px,y_px``.

    Raises
    ------
    UsageError
        Naming the line that cannot be read, and what was expected.
    """
    found: defaultdict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise UsageError(f"`curation` {path} has {size} bytes, expected at most {MOST_BYTES}")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            if tuple(next(rows, [])) != HEAD:
                raise UsageError(f"`curation` {path}: expected {','.join(HEAD)} as its first line")
            for row in rows:
                if row:
                    name, action, place = _decision(row, f"`curation` {path}, line {rows.line_num}")
                    found[name][action].append(place)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"`curation` {path} cannot be read: {brief(error)}") from error
    return {name: _decisions(own) for name, own in found.items()}


def check_places(
    path: Path | None, decisions: Mapping[str, Decisions], micrographs: Iterable[PickedMicrograph]
) -> None:
    """Refuse to add picks outside their micrograph.

    Raises
    ------
    UsageError
        Naming the first.
    """
    for one in micrographs:
        own = decisions.get(one.micrograph_id)
        if own is None or one.shape is None:
            continue
        height, width = one.shape
        inside = ((own.add >= -0.5) & (own.add <= [width - 0.5, height - 0.5])).all(axis=1)
        if not inside.all():
            x_px, y_px = own.add[~inside][0].tolist()
            raise UsageError(
                f"`curation` {path} adds a pick at {x_px:g}, {y_px:g} to {one.micrograph_id}, which has "
                f"{width} x {height} pixels; expected x_px, y_px in pixels of the micrograph"
            )


def unheeded(path: Path | None, table: PickTable) -> list[str]:
    """Return which of a person's decisions changed nothing in a table that was made with them."""
    decisions = {} if path is None else read_decisions(path)
    ids = {one.micrograph_id for one in table.micrographs if one.status == "complete"}
    lines = []
    if unknown := sorted(decisions.keys() - ids):
        lines.append(
            f"`curation` {path} names {len(unknown)} micrographs that were not picked: {few(unknown)}; "
            "expected micrograph_id as the table has it"
        )
    wanted = {name: len(own.remove) for name, own in decisions.items() if name in ids and len(own.remove)}
    removed = {name: int(one.has(Why.REMOVED_BY_HAND).sum()) for name, one in table.of(wanted).items()}
    if missed := sorted(name for name, count in wanted.items() if removed[name] < count):
        lines.append(
            f"`curation` {path} removes {sum(wanted[name] - removed[name] for name in missed)} picks where "
            f"none is within {REACH_PX:g} px, or twice: {few(missed)}"
        )
    return lines


def _decision(row: list[str], where: str) -> tuple[str, str, tuple[float, float]]:
    name, action, *place = [*row, "", "", ""][:4]
    if action not in get_args(Action):
        raise UsageError(f"{where}: action is {brief(action)}, expected one of {', '.join(get_args(Action))}")
    if action == "exclude":
        return name, action, (0.0, 0.0)
    try:
        x_px, y_px = (float(text) for text in place)
        if not max(abs(x_px), abs(y_px)) < MOST_PX:
            raise ValueError
    except ValueError:
        raise UsageError(f"{where}: x_px, y_px are {brief(', '.join(place))}, expected two numbers") from None
    return name, action, (x_px, y_px)


def _decisions(own: Mapping[str, list[tuple[float, float]]]) -> Decisions:
    remove, add = (np.array(own.get(name, []), np.float32).reshape(-1, 2) for name in ("remove", "add"))
    return Decisions("exclude" in own, remove, add)


def _nearest(picks: MicrographPicks, places: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return ``(n,)`` which candidates are meant by places."""
    meant = np.zeros(len(picks), bool)
    if len(picks) and len(places):
        tree = cKDTree(np.column_stack([picks.x_px, picks.y_px]))
        away, nearest = map(np.asarray, tree.query(places, distance_upper_bound=REACH_PX))
        meant[nearest[np.isfinite(away)]] = True
    return meant


def _added(picks: MicrographPicks, places: NDArray[np.float32]) -> MicrographPicks:
    """Return the picks with those that a person added."""
    n = len(places)
    if not n:
        return picks
    best = picks.score.max() if len(picks) else np.float32(1)
    away, _ = cKDTree(places).query(np.column_stack([picks.x_px, picks.y_px]))
    picks = picks.take(np.asarray(away) > REACH_PX)
    names = {*picks.more, "source"}
    before = {name: picks.more.get(name, COLUMNS[name].nothing(len(picks))) for name in names}
    new = {name: COLUMNS[name].nothing(n) for name in names}
    new["source"][:] = HAND
    return replace(
        picks,
        x_px=np.concatenate([picks.x_px, places[:, 0]]),
        y_px=np.concatenate([picks.y_px, places[:, 1]]),
        score=np.concatenate([picks.score, np.full(n, best, np.float32)]),
        unpicked=np.concatenate([picks.unpicked, none(n)]),
        junk=None if picks.junk is None else np.concatenate([picks.junk, np.zeros(n, np.uint8)]),
        more={name: np.concatenate([before[name], new[name]]) for name in names},
    ).best_first()
