"""Picks in micrographs without particles: all of them are false."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryopick_ray.picks.schema import MicrographPicks


@dataclass(frozen=True)
class FalsePicks:
    """How many picks the micrographs have that could be read; ``None`` if none could.

    Attributes
    ----------
    mean, most
        Of a micrograph.
    """

    mean: float | None
    most: int | None


def false_picks(micrographs: Sequence[MicrographPicks]) -> FalsePicks:
    """Count the picks, not the candidates below the threshold, of micrographs without particles."""
    counts = [int(one.picked.sum()) for one in micrographs if one.micrograph.status == "complete"]
    return FalsePicks(sum(counts) / len(counts), max(counts)) if counts else FalsePicks(None, None)
