"""Whether micrographs that come are still like the first ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

WINDOW = 50
"""Micrographs at the beginning, and at the end, that are held against each other."""
COUNT_RATIO = 2.0
SCORE_STEP = 0.15
"""Of median scores, which go from 0 to 1 for networks."""
DIAMETER_RATIO = 1.2


@dataclass(frozen=True)
class Seen:
    """What was picked in one micrograph: how many particles, and their median score (0 if there are none)."""

    count: int
    score: float


def drift(seen: Sequence[Seen]) -> list[str]:
    """Say how the last micrographs differ from the first; nothing where they do not, or are few.

    Parameters
    ----------
    seen
        In the order in which they came.
    """
    if len(seen) < 2 * WINDOW:
        return []
    first, last = seen[:WINDOW], seen[-WINDOW:]
    lines = []
    before, now = (median(one.count for one in part) for part in (first, last))
    if max(before, now) > COUNT_RATIO * max(min(before, now), 1.0):
        lines.append(
            f"particles per micrograph: {before:g} in the first {WINDOW}, {now:g} in the last {WINDOW}"
        )
    picked = [[one.score for one in part if one.count] for part in (first, last)]
    if all(picked) and abs(step := median(picked[1]) - median(picked[0])) > SCORE_STEP:
        lines.append(
            f"median score: {median(picked[0]):.2f} in the first {WINDOW}, {median(picked[1]):.2f} in the "
            f"last {WINDOW} ({step:+.2f})"
        )
    return lines


def diameter_drift(known_A: float, found_A: float) -> list[str]:
    """Say that the last micrographs' particles seem to have another diameter, if they do."""
    if max(known_A, found_A) <= DIAMETER_RATIO * min(known_A, found_A):
        return []
    return [
        f"particles of the last micrographs seem to be of {found_A:g} A; they are picked at {known_A:g} A"
    ]
