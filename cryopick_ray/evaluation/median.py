"""The median of more numbers than memory holds."""

from collections import Counter

import numpy as np
from numpy.typing import ArrayLike

_DROPPED = 11
"""Bits of a float32's fraction that are not kept."""


class Median:
    """The median of numbers that come in parts, in whatever order, to one part in 8,000.

    They are counted by their value rounded to twelve binary digits: tens of thousands of counts at most for
    any scores that occur. What is not finite is left out.
    """

    def __init__(self) -> None:
        self._counts: Counter[float] = Counter()

    def add(self, values: ArrayLike) -> None:
        """Take ``(n,)`` numbers in."""
        numbers = np.ascontiguousarray(values, np.float32)
        bits = numbers[np.isfinite(numbers)].view(np.int32)
        rounded = ((bits + (1 << _DROPPED >> 1)) & -(1 << _DROPPED)).view(np.float32)
        values_of, counts = np.unique(rounded, return_counts=True)
        self._counts.update(dict(zip(values_of.tolist(), counts.tolist(), strict=True)))

    @property
    def value(self) -> float | None:
        """The median; ``None`` of no numbers."""
        if not self._counts:
            return None
        values = sorted(self._counts)
        ends = np.cumsum([self._counts[value] for value in values])
        middle = ((ends[-1] - 1) // 2, ends[-1] // 2)
        low, high = (values[int(np.searchsorted(ends, at, side="right"))] for at in middle)
        return (low + high) / 2
