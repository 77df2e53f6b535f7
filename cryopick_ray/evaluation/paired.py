"""The picks of two runs in one micrograph: which they share, and why one did not pick what the other did."""

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
class Paired:
    """Picks of a first and a second run in a micrograph, one to one.

    Attributes
    ----------
    shared
        ``(m,)`` candidates of the first, and those of the second that they are.
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


def pair_picks(first: MicrographPicks, second: MicrographPicks, radius_px: float) -> Paired:
    """Pair what two runs picked in a micrograph, within a radius."""
    own, other = (np.flatnonzero(one.picked) for one in (first, second))
    at, there, apart_px = nearest_pairs(places(first, own), places(second, other), radius_px)
    return Paired((own[at], other[there]), (np.delete(own, at), np.delete(other, there)), apart_px)


def why_not(
    picks: MicrographPicks, only: Indices, other: MicrographPicks | None, radius_px: float
) -> Counter[str]:
    """Return why another run has not picked what one has, each pick counted once.

    A candidate of the other that it did not pick speaks for the nearest pick, by its own reasons. Where there
    is none, the other picked once what one has picked twice, or saw nothing.

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
    found, candidates, _ = nearest_pairs(places(picks, only), places(other, rest), radius_px)
    why = Counter(to_words(other.unpicked[rest[candidates]]).to_pylist())
    left = places(picks, np.delete(only, found))
    taken = _near(left, places(other, np.flatnonzero(other.picked)), radius_px)
    return +(why + Counter({TAKEN: taken, NO_CANDIDATE: len(left) - taken}))


def _near(some: Places, others: Places, radius_px: float) -> int:
    """Return how many places lie near any of others."""
    if not len(some) or not len(others):
        return 0
    nearest_px = cKDTree(others).query(some)[0]
    return int(np.count_nonzero(nearest_px <= radius_px))
