"""Drift in a live session: whether the latest micrographs differ from the first ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

WINDOW = 50
"""Number of first and of last micrographs that are compared."""
COUNT_RATIO = 2.0
SCORE_STEP = 0.15
"""Step of the median score, which is 0 to 1 for networks."""
DIAMETER_RATIO = 1.2


@dataclass(frozen=True)
class PickStatistics:
    """Number of picks in one micrograph, and their median score (0 if there are none)."""

    count: int
    score: float


def drift(series: Sequence[PickStatistics]) -> list[str]:
    """Return how the last micrographs differ from the first; nothing if they do not, or are too few.

    Parameters
    ----------
    series
        Statistics of the micrographs, in order of arrival.
    """
    if len(series) < 2 * WINDOW:
        return []
    first, last = series[:WINDOW], series[-WINDOW:]
    lines = []
    before, now = (median(statistics.count for statistics in part) for part in (first, last))
    if max(before, now) > COUNT_RATIO * max(min(before, now), 1.0):
        lines.append(
            f"particles per micrograph: {before:g} in the first {WINDOW}, {now:g} in the last {WINDOW}"
        )
    picked = [[statistics.score for statistics in part if statistics.count] for part in (first, last)]
    if all(picked) and abs(step := median(picked[1]) - median(picked[0])) > SCORE_STEP:
        lines.append(
            f"median score: {median(picked[0]):.2f} in the first {WINDOW}, {median(picked[1]):.2f} in the "
            f"last {WINDOW} ({step:+.2f})"
        )
    return lines


def diameter_drift(known_A: float, found_A: float) -> list[str]:
    """Return a warning if the last micrographs' particles have another diameter."""
    if max(known_A, found_A) <= DIAMETER_RATIO * min(known_A, found_A):
        return []
    return [
        f"particles of the last micrographs seem to be of {found_A:g} A; they are picked at {known_A:g} A"
    ]
