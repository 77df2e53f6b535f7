"""Scores and sizes of all candidates in compact arrays: exact counts at any cut, and the histogram."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.page.packing import is_by_hand
from cryopick_ray.picks.schema import MicrographPicks

SCORE_BINS, SIZE_BINS = 1024, 32
LEAST_SPREAD = 1e-3
"""Part of the values that stops reach over at least: float32 tells so many apart there."""
SLICE = 1 << 20
"""Candidates that are binned at a time."""


@dataclass(frozen=True, eq=False)
class Free:
    """Candidates of one micrograph that nothing but their score keeps from being picked, best first.

    Attributes
    ----------
    score
        ``(n,)`` float32; infinite where there is none, or a person added it: no cut takes it away.
    size_A
        ``(n,)`` float32, NaN where it is not known.
    true
        ``(n,)`` which of them find a true particle.
    """

    score: NDArray[np.float32]
    size_A: NDArray[np.float32]
    true: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.score)


def free_ones(picks: MicrographPicks, true: NDArray[np.bool_] | None = None) -> Free:
    """Return those of a micrograph's candidates that a cut may pick.

    Parameters
    ----------
    true
        ``(n,)`` which of the candidates find a true particle.
    """
    always = np.isnan(picks.score) | is_by_hand(picks)
    score = np.where(always, np.float32(np.inf), picks.score)
    size_A = picks.more.get("size_A")
    if size_A is None:
        size_A = np.full(len(score), np.nan, np.float32)
    free = np.flatnonzero(~picks.is_kept_out)
    order = free[np.argsort(-score[free], kind="stable")]
    hits = np.zeros(len(order), bool) if true is None else true[order]
    return Free(score[order], size_A[order].astype(np.float32), hits)


@dataclass(frozen=True, eq=False)
class CountedCandidates:
    """The free candidates of all micrographs, those of one after those of another.

    Attributes
    ----------
    score, size_A, true
        As of :class:`Free`; 9 bytes a candidate.
    starts, ends
        ``(m,)`` where each micrograph's begin and end.
    """

    score: NDArray[np.float32]
    size_A: NDArray[np.float32]
    true: NDArray[np.bool_]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def counts(
        self, threshold: float, smallest_A: float | None, largest_A: float | None
    ) -> NDArray[np.uint32]:
        """Return ``(m,)`` how many each micrograph has at or above a cut, and of a size.

        A candidate without a known size has any.
        """
        cut = np.float32(threshold)
        if smallest_A is None and largest_A is None:
            return (self._above(cut) - self.starts).astype(np.uint32)
        chosen = self.score >= cut
        if smallest_A is not None:
            chosen &= ~(self.size_A < np.float32(smallest_A))
        if largest_A is not None:
            chosen &= ~(self.size_A > np.float32(largest_A))
        counts, some = np.zeros(len(self.starts), np.uint32), np.flatnonzero(self.ends > self.starts)
        some = some[np.argsort(self.starts[some], kind="stable")]
        if len(some):
            most = int((self.ends - self.starts).max())
            kind = np.uint16 if most <= np.iinfo(np.uint16).max else np.uint32  # sums several times faster
            counts[some] = np.add.reduceat(chosen.view(np.uint8), self.starts[some], dtype=kind)
        return counts

    def of(self, micrographs: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which candidates are of some of the micrographs, ``(m,)``."""
        found = np.zeros(len(self.score), bool)
        for start, end in zip(
            self.starts[micrographs].tolist(), self.ends[micrographs].tolist(), strict=True
        ):
            found[start:end] = True
        return found

    def _above(self, cut: np.float32) -> NDArray[np.int64]:
        """Return ``(m,)`` where the scores at or above a cut end: bisected in all micrographs at once."""
        low, high = self.starts.copy(), self.ends.copy()
        while (is_open := low < high).any():
            middle = (low + high) // 2
            above = np.zeros(len(low), bool)
            above[is_open] = self.score[middle[is_open]] >= cut
            low = np.where(is_open & above, middle + 1, low)
            high = np.where(is_open & ~above, middle, high)
        return low


class Collected:
    """Candidates of micrographs as they come, in arrays that grow.

    Parameters
    ----------
    micrographs
        How many there are.
    room
        Candidates that are expected, about.
    """

    def __init__(self, micrographs: int, room: int = 1024) -> None:
        self._arrays: list[NDArray[Any]] = [
            np.empty(max(room, 1), kind) for kind in (np.float32, np.float32, np.bool_)
        ]
        self._starts, self._ends = np.zeros(micrographs, np.int64), np.zeros(micrographs, np.int64)
        self._n = 0

    def add(self, place: int, own: Free) -> None:
        """Take those of the micrograph at a place, which comes once."""
        start, end = self._n, self._n + len(own)
        if end > len(self._arrays[0]):
            room = max(end, 2 * len(self._arrays[0]))
            self._arrays = [
                np.concatenate([array[:start], np.empty(room - start, array.dtype)]) for array in self._arrays
            ]
        for array, values in zip(self._arrays, (own.score, own.size_A, own.true), strict=True):
            array[start:end] = values
        self._starts[place], self._ends[place], self._n = start, end, end

    def all(self) -> CountedCandidates:
        """Return what came."""
        score, size_A, true = (array[: self._n] for array in self._arrays)
        return CountedCandidates(score, size_A, true, self._starts, self._ends)


@dataclass(frozen=True, eq=False)
class Histogram:
    """Candidates by score and size.

    Attributes
    ----------
    score_stops
        Rising float32: bin k holds ``stops[k] <= score < stops[k + 1]``, the last one whatever is above.
    size_stops_A
        Likewise; ``None`` where no size is known.
    counts, true
        ``(score bins, size bins)`` uint32 of all, and of those that find a true particle; the last size bin
        holds those without a size.
    """

    score_stops: NDArray[np.float32]
    size_stops_A: NDArray[np.float32] | None
    counts: NDArray[np.uint32]
    true: NDArray[np.uint32]


def histogram(candidates: CountedCandidates, threshold: float) -> Histogram:
    """Return how many candidates there are of each score and size.

    Parameters
    ----------
    threshold
        A score that is a stop, so that counts at it are exact.
    """
    score_stops = _stops(_ends_of(candidates.score) or (0.0, 1.0), SCORE_BINS, threshold)
    sizes = _ends_of(candidates.size_A)
    size_stops_A = None if sizes is None else _stops(sizes, SIZE_BINS)
    columns = 1 if size_stops_A is None else SIZE_BINS + 1
    counts, true = (np.zeros(SCORE_BINS * columns, np.int64) for _ in range(2))
    for start in range(0, len(candidates.score), SLICE):
        some = slice(start, start + SLICE)
        at = _bins(candidates.score[some], score_stops) * columns + columns - 1
        if size_stops_A is not None:
            size_A = candidates.size_A[some]
            known = np.isfinite(size_A)
            at[known] += _bins(size_A[known], size_stops_A) - (columns - 1)
        counts += np.bincount(at, minlength=len(counts))
        true += np.bincount(at[candidates.true[some]], minlength=len(true))
    shape = (SCORE_BINS, columns)
    return Histogram(
        score_stops,
        size_stops_A,
        counts.reshape(shape).astype(np.uint32),
        true.reshape(shape).astype(np.uint32),
    )


def _bins(values: NDArray[np.float32], stops: NDArray[np.float32]) -> NDArray[np.intp]:
    return np.clip(np.searchsorted(stops, values, side="right") - 1, 0, len(stops) - 2)


def _ends_of(values: NDArray[np.float32]) -> tuple[float, float] | None:
    """Return the least and the greatest finite value; ``None`` without any."""
    ends = []
    for start in range(0, len(values), SLICE):
        some = values[start : start + SLICE]
        if len(some := some[np.isfinite(some)]):
            ends += [float(some.min()), float(some.max())]
    return (min(ends), max(ends)) if ends else None


def _stops(ends: tuple[float, float], bins: int, one_of: float | None = None) -> NDArray[np.float32]:
    """Return rising stops from end to end, equally far apart but for one that is given."""
    low, high = ends
    high = max(high, low + max(abs(low), abs(high), 1e-30) * LEAST_SPREAD)
    stops = np.linspace(low, high, bins + 1).astype(np.float32)
    if one_of is not None and low < one_of < high:
        stops[1 + np.argmin(np.abs(stops[1:-1] - np.float32(one_of)))] = np.float32(one_of)
    return stops
