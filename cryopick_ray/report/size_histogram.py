"""Histogram of the sizes that a picker measured."""

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from cryopick_ray.report.figures import (
    BOTTOM,
    LEFT,
    RIGHT,
    bar,
    count_ticks,
    framed,
    nice_ticks,
    upright_at,
)

BINS = 40
ROOM = 0.04
"""Of the range that is drawn, on either side: the diameter may lie at its end."""


def size_histogram(sizes_A: NDArray[np.floating], diameter_A: float) -> Markup:
    """Draw a histogram of the sizes of picks, with the set diameter.

    Parameters
    ----------
    sizes_A
        ``(n,)`` sizes in angstroms; those that are not known and the outermost thousandths are left out.
    diameter_A
        What is marked.
    """
    known = sizes_A[np.isfinite(sizes_A)]
    if not len(known):
        return Markup("")
    low, high = (float(value) for value in np.percentile(known, (0.1, 99.9)))
    low, high = min(low, diameter_A), max(high, diameter_A)
    room = max(ROOM * (high - low), 1.0)
    low, high = low - room, high + room
    counts, edges = np.histogram(known, BINS, (low, high))
    top = max(int(counts.max()), 1)

    def x_at(value: float) -> float:
        return LEFT + (value - low) / (high - low) * (RIGHT - LEFT)

    bars = [
        bar(x_at(left), x_at(right), 0, count / top, "bar", f"{left:.0f} to {right:.0f} A: {count:,} picks")
        for left, right, count in zip(edges, edges[1:], counts.tolist(), strict=False)
    ]
    x_ticks = [(x_at(tick), f"{tick:g}") for tick in nice_ticks(low, high, 6)]
    marked = [*bars, upright_at("mark", x_at(diameter_A), BOTTOM)]
    return framed("Picks by size", "size (A)", "picks", marked, x_ticks, count_ticks(top))
