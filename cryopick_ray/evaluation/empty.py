"""Picks in micrographs without particles: all of them are false."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from cryopick_ray.picks.schema import MicrographPicks


@dataclass(frozen=True)
class FalsePicks:
    """How many picks the micrographs have that could be read; ``None`` if none could.

    Attributes
    ----------
    mean, median, most
        Of a micrograph.
    """

    mean: float | None
    median: float | None
    most: int | None


def false_picks(micrographs: Sequence[MicrographPicks]) -> FalsePicks:
    """Count the picks, not the candidates below the threshold, of micrographs without particles."""
    counts = [
        int(micrograph.picked.sum())
        for micrograph in micrographs
        if micrograph.micrograph.status == "complete"
    ]
    if not counts:
        return FalsePicks(None, None, None)
    return FalsePicks(statistics.fmean(counts), statistics.median(counts), max(counts))
