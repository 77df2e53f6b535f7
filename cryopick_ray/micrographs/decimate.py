"""Decimation before a Fourier crop: a short low pass of known response, subsampled."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FOLDED = 3e-5
"""Of white noise that is kept, along one axis: so much is noise folded onto it, root mean square."""
LARGEST_PART = 0.75
"""Of the crop's factor: the nearer to it, the longer the low pass."""
LARGEST = 8
"""More at once saves nothing more."""
SMALLEST_PX, SMALLEST_CROP = 512, 4
"""Smaller sides are soon transformed, and by smaller factors little is saved."""
MOST_BOXES = 16
"""Of a low pass; nine or ten suffice at the largest part."""
BATCH_ROWS = 32
"""Rows of values that are handed on at a time, about."""
FEWEST_PX, PANEL_PX = 16, 2048
"""Rows and columns multiplied at a time: of products so small OpenBLAS makes no copies first."""


@dataclass(frozen=True, eq=False)
class Decimation:
    """A low pass along a periodic axis, and the factor by which it is subsampled.

    Value ``u`` is the sum of ``taps[j] x[factor u + j - len(taps) + 1]``.

    The low pass is a box of ``factor`` pixels, repeated, its zeros spread over what would fold onto the
    frequencies that are kept, as the roots of a Chebyshev polynomial (Lo Presti 2000, IEEE Trans. Circuits
    Syst. II 47:457, has the boxes). What it takes from those is given back by dividing by
    :meth:`response`: only what folds is lost.

    Attributes
    ----------
    side
        Pixels before.
    factor
        Pixels that become one; it divides ``side``.
    taps
        The low pass, with sum 1.
    """

    side: int
    factor: int
    taps: NDArray[np.float64]

    @property
    def count(self) -> int:
        """How many values there are."""
        return self.side // self.factor

    @property
    def overhang(self) -> int:
        """How many values after those of a run of pixels need some of these, too."""
        return 1 + (len(self.taps) - 2) // self.factor

    @property
    def strip(self) -> int:
        """How many pixels are multiplied at a time: few, with a multiple of four values."""
        count = next(n for n in range(1, 99) if n * self.factor >= FEWEST_PX and (n + self.overhang) % 4 == 0)
        return count * self.factor

    def matrix(self, count: int) -> NDArray[np.float32]:
        """Return what ``count * factor`` pixels give to ``count + overhang`` values from theirs on."""
        tap = np.arange(count * self.factor) - self.factor * np.arange(count + self.overhang)[:, None]
        tap += len(self.taps) - 1
        is_tap = (tap >= 0) & (tap < len(self.taps))
        return np.where(is_tap, self.taps[np.where(is_tap, tap, 0)], 0).astype(np.float32)

    def response(self, waves: NDArray[np.intp], first: int = 0) -> NDArray[np.complex128]:
        """Return by what a component is multiplied, given its number of waves over the side.

        Parameters
        ----------
        first
            Which value comes first, in the order that is transformed.
        """
        places = self.factor * first + np.arange(len(self.taps)) - len(self.taps) + 1
        return np.asarray(np.exp(2j * np.pi / self.side * (waves[:, None] * places)) @ self.taps)

    def folded(self, kept: int) -> float:
        """Return how much white noise, of its own, is folded onto what a crop to ``kept`` pixels keeps."""
        waves = np.arange(kept // 2 + 1)
        here, *others = (np.abs(self.response(waves + self.count * image)) for image in range(self.factor))
        return float(np.sqrt(np.mean(sum(other**2 for other in others) / here**2)))


@lru_cache(maxsize=64)
def planned(side: int, kept: int) -> Decimation | None:
    """Return what to do along an axis before a crop to ``kept`` pixels; ``None`` if that does not pay."""
    if side < max(SMALLEST_PX, SMALLEST_CROP * kept):
        return None
    largest = min(LARGEST, int(LARGEST_PART * side / kept))
    factor = next((factor for factor in range(largest, 1, -1) if side % factor == 0), 1)
    if factor == 1:
        return None
    plans = (Decimation(side, factor, _low_pass(side, kept, factor, boxes)) for boxes in range(2, MOST_BOXES))
    return next((plan for plan in plans if plan.folded(kept) <= FOLDED), None)


def _low_pass(side: int, kept: int, factor: int, boxes: int) -> NDArray[np.float64]:
    """Return boxes, each turned to one of the frequencies of Chebyshev's roots, convolved."""
    turns = kept / 2 / side * np.cos(np.pi * (np.arange(boxes) + 0.5) / boxes)
    taps = np.ones(1)
    for turn in turns:
        taps = np.convolve(taps, np.exp(2j * np.pi * turn * (np.arange(factor) - (factor - 1) / 2)))
    return np.asarray(taps.real / taps.real.sum())


def fewer_rows(
    blocks: Iterable[NDArray[np.float32]], width: int, plan: Decimation
) -> Iterator[NDArray[np.float32]]:
    """Yield an image's rows decimated, some at a time; value ``plan.overhang`` comes first.

    What is yielded is overwritten when the next is asked for.

    Parameters
    ----------
    blocks
        The rows in order, ``(n, width)``, each ``n`` a multiple of the factor.
    """
    over, strip_rows = plan.overhang, plan.strip
    matrix = plan.matrix(strip_rows // plan.factor)
    values = np.empty((len(matrix), width), np.float32)
    sums = np.zeros((BATCH_ROWS + len(matrix), width), np.float32)
    first, done = None, 0
    for strip in (
        block[top : top + strip_rows] for block in blocks for top in range(0, len(block), strip_rows)
    ):
        count = len(strip) // plan.factor
        for left in range(0, width, PANEL_PX):
            panel = np.s_[: count + over, left : left + PANEL_PX]
            np.matmul(matrix[: count + over, : len(strip)], strip[:, panel[1]], out=values[panel])
        sums[done : done + over] += values[:over]
        sums[done + over : done + over + count] = values[over : over + count]
        done += count
        if done >= BATCH_ROWS:
            start = 0
            if first is None:  # the image's end adds to these
                first, start = sums[:over].copy(), over
            yield sums[start:done]
            sums[:over] = sums[done : done + over]
            done = 0
    sums[done : done + over] += 0 if first is None else first
    yield sums[: done + over]
