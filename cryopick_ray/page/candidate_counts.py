"""Scores and sizes of all candidates in compact arrays: exact counts at any cut, and the histogram."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.page.packing import is_by_hand
from cryopick_ray.picks.schema import MicrographPicks

SCORE_BINS, SIZE_BINS = 1024, 32
LEAST_SPREAD = 1e-3
"""Least relative range of the stops, which float32 can still divide."""
SLICE = 1 << 20
"""Candidates that are binned in one block."""


@dataclass(frozen=True, eq=False)
class FreeCandidates:
    """Candidates of one micrograph that are not excluded for another reason than score, best first.

    Attributes
    ----------
    score
        ``(n,)`` float32; infinite without a score and for picks added by hand, which any cut keeps.
    size_A
        ``(n,)`` float32, NaN where it is not known.
    true
        ``(n,)`` which of them match a true particle.
    """

    score: NDArray[np.float32]
    size_A: NDArray[np.float32]
    true: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.score)


def free_candidates(picks: MicrographPicks, true: NDArray[np.bool_] | None = None) -> FreeCandidates:
    """Return the candidates of a micrograph that a cut may pick.

    Parameters
    ----------
    true
        ``(n,)`` which of the candidates match a true particle.
    """
    is_always_picked = np.isnan(picks.score) | is_by_hand(picks)
    score = np.where(is_always_picked, np.float32(np.inf), picks.score)
    size_A = picks.more.get("size_A")
    if size_A is None:
        size_A = np.full(len(score), np.nan, np.float32)
    free = np.flatnonzero(~picks.is_kept_out)
    order = free[np.argsort(-score[free], kind="stable")]
    hits = np.zeros(len(order), bool) if true is None else true[order]
    return FreeCandidates(score[order], size_A[order].astype(np.float32), hits)


@dataclass(frozen=True, eq=False)
class CountedCandidates:
    """The free candidates of all micrographs, concatenated.

    Attributes
    ----------
    score, size_A, true
        As in :class:`FreeCandidates`; 9 bytes per candidate.
    starts, ends
        ``(m,)`` range of each micrograph's candidates.
    """

    score: NDArray[np.float32]
    size_A: NDArray[np.float32]
    true: NDArray[np.bool_]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def counts(
        self, threshold: float, smallest_A: float | None, largest_A: float | None
    ) -> NDArray[np.uint32]:
        """Return ``(m,)`` number of candidates at or above a score and within a range of sizes.

        A candidate without a known size counts.
        """
        cut = np.float32(threshold)
        if smallest_A is None and largest_A is None:
            return (self._above(cut) - self.starts).astype(np.uint32)
        chosen = self.score >= cut
        if smallest_A is not None:
            chosen &= ~(self.size_A < np.float32(smallest_A))
        if largest_A is not None:
            chosen &= ~(self.size_A > np.float32(largest_A))
        counts, nonempty = np.zeros(len(self.starts), np.uint32), np.flatnonzero(self.ends > self.starts)
        nonempty = nonempty[np.argsort(self.starts[nonempty], kind="stable")]
        if len(nonempty):
            most = int((self.ends - self.starts).max())
            sum_dtype = (
                np.uint16 if most <= np.iinfo(np.uint16).max else np.uint32
            )  # sums several times faster
            counts[nonempty] = np.add.reduceat(chosen.view(np.uint8), self.starts[nonempty], dtype=sum_dtype)
        return counts

    def of(self, micrographs: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which candidates belong to the micrographs of a mask ``(m,)``."""
        is_of_them = np.zeros(len(self.score), bool)
        for start, end in zip(
            self.starts[micrographs].tolist(), self.ends[micrographs].tolist(), strict=True
        ):
            is_of_them[start:end] = True
        return is_of_them

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


class CandidateCollector:
    """Collects the candidates of micrographs in growing arrays.

    Parameters
    ----------
    micrographs
        Number of micrographs.
    room
        Expected number of candidates.
    """

    def __init__(self, micrographs: int, room: int = 1024) -> None:
        self._arrays: list[NDArray[Any]] = [
            np.empty(max(room, 1), kind) for kind in (np.float32, np.float32, np.bool_)
        ]
        self._starts, self._ends = np.zeros(micrographs, np.int64), np.zeros(micrographs, np.int64)
        self._n = 0

    def add(self, index: int, candidates: FreeCandidates) -> None:
        """Add the candidates of a micrograph, once each."""
        start, end = self._n, self._n + len(candidates)
        if end > len(self._arrays[0]):
            room = max(end, 2 * len(self._arrays[0]))
            self._arrays = [
                np.concatenate([array[:start], np.empty(room - start, array.dtype)]) for array in self._arrays
            ]
        for array, values in zip(
            self._arrays, (candidates.score, candidates.size_A, candidates.true), strict=True
        ):
            array[start:end] = values
        self._starts[index], self._ends[index], self._n = start, end, end

    def all(self) -> CountedCandidates:
        """Return all candidates."""
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
        Likewise; ``None`` if no size is known.
    counts, true
        ``(score bins, size bins)`` uint32 of all, and of those that match a true particle; the last size bin
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
        block = slice(start, start + SLICE)
        bin_index = _bins(candidates.score[block], score_stops) * columns + columns - 1
        if size_stops_A is not None:
            size_A = candidates.size_A[block]
            known = np.isfinite(size_A)
            bin_index[known] += _bins(size_A[known], size_stops_A) - (columns - 1)
        counts += np.bincount(bin_index, minlength=len(counts))
        true += np.bincount(bin_index[candidates.true[block]], minlength=len(true))
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
        block = values[start : start + SLICE]
        if len(block := block[np.isfinite(block)]):
            ends += [float(block.min()), float(block.max())]
    return (min(ends), max(ends)) if ends else None


def _stops(ends: tuple[float, float], bins: int, exact_stop: float | None = None) -> NDArray[np.float32]:
    """Return rising stops from end to end, evenly spaced except for one exact stop."""
    low, high = ends
    high = max(high, low + max(abs(low), abs(high), 1e-30) * LEAST_SPREAD)
    stops = np.linspace(low, high, bins + 1).astype(np.float32)
    if exact_stop is not None and low < exact_stop < high:
        stops[1 + np.argmin(np.abs(stops[1:-1] - np.float32(exact_stop)))] = np.float32(exact_stop)
    return stops
