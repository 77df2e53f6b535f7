"""Pairs of picks of two runs in a micrograph, and the reasons why one lacks the other's picks."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.evaluation.nearest import Indices, Places, nearest_pairs
from cryopick_ray.picks.reasons import to_words
from cryopick_ray.picks.schema import MicrographPicks

NO_CANDIDATE = "no candidate there"
TAKEN = "picked there, as another pick's partner"
FAILED = "micrograph failed"
ABSENT = "micrograph not in the run"


@dataclass(frozen=True)
class PairedPicks:
    """Picks of a first and a second run in a micrograph, one to one.

    Attributes
    ----------
    shared
        ``(m,)`` candidates of the first, and their partners in the second.
    only
        Picks of the first that the second lacks, and the other way round, as candidates of their run.
    apart_px
        ``(m,)`` distances of those shared.
    """

    shared: tuple[Indices, Indices]
    only: tuple[Indices, Indices]
    apart_px: NDArray[np.float64]


def places(picks: MicrographPicks, chosen: Indices) -> Places:
    """Return ``(n, 2)`` centres of some candidates."""
    return np.column_stack([picks.x_px[chosen], picks.y_px[chosen]]).astype(np.float64)


def pair_picks(first: MicrographPicks, second: MicrographPicks, radius_px: float) -> PairedPicks:
    """Pair what two runs picked in a micrograph, within a radius."""
    first_picks, second_picks = (np.flatnonzero(picks.picked) for picks in (first, second))
    first_at, second_at, apart_px = nearest_pairs(
        places(first, first_picks), places(second, second_picks), radius_px
    )
    return PairedPicks(
        (first_picks[first_at], second_picks[second_at]),
        (np.delete(first_picks, first_at), np.delete(second_picks, second_at)),
        apart_px,
    )


def why_not(
    picks: MicrographPicks, only: Indices, other: MicrographPicks | None, radius_px: float
) -> Counter[str]:
    """Count the reasons why another run lacks picks, each pick once.

    The nearest unpicked candidate of the other run gives its own reasons. Without one, the other run has a
    pick there that is another pick's partner, or no candidate.

    Parameters
    ----------
    only
        Picks that the other lacks.
    other
        ``None`` if it does not have the micrograph.
    """
    if other is None or other.micrograph.status != "complete":
        return Counter({ABSENT if other is None else FAILED: len(only)} if len(only) else {})
    rest = np.flatnonzero(~other.picked)
    paired, candidates, _ = nearest_pairs(places(picks, only), places(other, rest), radius_px)
    reasons = Counter(to_words(other.unpicked[rest[candidates]]).to_pylist())
    unpaired = places(picks, np.delete(only, paired))
    taken = _near(unpaired, places(other, np.flatnonzero(other.picked)), radius_px)
    return +(reasons + Counter({TAKEN: taken, NO_CANDIDATE: len(unpaired) - taken}))


def _near(positions: Places, others: Places, radius_px: float) -> int:
    """Return how many places lie near any of others."""
    if not len(positions) or not len(others):
        return 0
    nearest_px = cKDTree(others).query(positions)[0]
    return int(np.count_nonzero(nearest_px <= radius_px))
