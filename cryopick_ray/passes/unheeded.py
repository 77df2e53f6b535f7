"""Which of people's decisions changed nothing in a table that was made with them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.errors import few, one_line
from cryopick_ray.passes.decision_files import read_rows
from cryopick_ray.passes.decisions import REACH_PX, Decision, drawn
from cryopick_ray.passes.hand_drawn import STEP_PX
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.picks.table import PickTable

OF_CANDIDATES = ("remove", "keep")
Own = Mapping[str, Sequence[Decision]]
"""Decisions by micrograph, in the order they count in."""


def unheeded(paths: Sequence[Path], table: PickTable) -> list[str]:
    """Return a line for each kind of decision that meets nothing."""
    if not paths:
        return []
    about = {
        micrograph.micrograph_id: micrograph
        for micrograph in table.micrographs
        if micrograph.status == "complete"
    }
    own: defaultdict[str, list[Decision]] = defaultdict(list)
    for row in read_rows(paths):
        own[row.micrograph_id].append(row)
    known = {name: rows for name, rows in own.items() if name in about}
    wanted = [name for name, rows in known.items() if any(row.action in OF_CANDIDATES for row in rows)]
    missed = {name: _missed(known[name], picks) for name, picks in table.of(wanted).items()}
    told = {
        "names {} micrographs that were not picked: {}; expected micrograph_id as the table has it": (
            dict.fromkeys(own.keys() - about.keys(), 1)
        ),
        f"removes {{}} picks where none is within {REACH_PX:g} px: {{}}": _counts(missed, "remove"),
        f"keeps {{}} picks where none is within {REACH_PX:g} px: {{}}": _counts(missed, "keep"),
        "includes {} micrographs that nobody excludes: {}": _each(known, _includes_nothing),
        "cleans {} discs that nobody painted before: {}": _each(known, _uncleaned),
        "paints {} discs outside their micrograph: {}": {
            name: _outside(rows, about[name]) for name, rows in known.items()
        },
        "draws {} filaments of a single place: {}": _each(known, _no_lines),
    }
    where = few([str(path) for path in paths])
    lines = []
    for text, counts in told.items():
        if names := sorted(one_line(name) for name, count in counts.items() if count):
            lines.append(f"`curation` {where} {text.format(sum(counts.values()), few(names))}")
    return lines


def _each(known: Own, count: Callable[[Sequence[Decision]], int]) -> dict[str, int]:
    return {name: count(rows) for name, rows in known.items()}


def _counts(missed: Mapping[str, Sequence[Decision]], action: str) -> dict[str, int]:
    return {name: sum(row.action == action for row in rows) for name, rows in missed.items()}


def _missed(rows: Sequence[Decision], picks: MicrographPicks) -> list[Decision]:
    """Return the decisions about candidates that mean none.

    What was added or drawn later took the place of what had been removed beside it: that is no longer there.
    """
    said = [row for row in rows if row.action in OF_CANDIDATES]
    added = _places(row for row in rows if row.action == "add")
    there = np.column_stack([picks.x_px, picks.y_px])
    lines = [line.dense(STEP_PX).astype(np.float32) for _, line in drawn(rows) if line is not None]
    added = np.concatenate([added, *lines])
    is_met = _within(_places(said), there, REACH_PX) | _within(_places(said), added, 2 * REACH_PX)
    return [row for row, met in zip(said, is_met.tolist(), strict=True) if not met]


def _within(places: NDArray[np.float32], others: NDArray[np.float32], reach_px: float) -> NDArray[np.bool_]:
    """Return ``(n,)`` which places have another one within reach."""
    if not len(others):
        return np.zeros(len(places), bool)
    away, _ = cKDTree(others).query(places, distance_upper_bound=reach_px)
    return np.isfinite(away)


def _places(rows: Iterable[Decision]) -> NDArray[np.float32]:
    return np.array([(row.x_px, row.y_px) for row in rows], np.float32).reshape(-1, 2)


def _includes_nothing(rows: Sequence[Decision]) -> bool:
    whole = [row.action for row in rows if row.action in ("exclude", "include")]
    return whole[:1] == ["include"]


def _no_lines(rows: Sequence[Decision]) -> int:
    return sum(line is None for _, line in drawn(rows))


def _uncleaned(rows: Sequence[Decision]) -> int:
    painted, count = set(), 0
    for row in rows:
        if row.action == "junk":
            painted.add(row.disc)
        elif row.action == "clean":
            count += row.disc not in painted
            painted.discard(row.disc)
    return count


def _outside(rows: Sequence[Decision], about: PickedMicrograph) -> int:
    if about.shape is None:
        return 0
    height, width = about.shape
    discs = [row for row in rows if row.action == "junk"]
    nearest = [(min(max(row.x_px, 0), width - 1), min(max(row.y_px, 0), height - 1)) for row in discs]
    return sum(
        (row.x_px - x) ** 2 + (row.y_px - y) ** 2 > row.radius_px**2
        for row, (x, y) in zip(discs, nearest, strict=True)
    )
