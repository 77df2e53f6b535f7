"""Counts over a run's table: picks by micrograph, exclusions by reason, expected precision."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from cryopick_ray.picks.expected import ExpectedParticles
from cryopick_ray.picks.reasons import WORDS, Reason
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.thresholds import Threshold

OTHERS = tuple(why for why in Reason if why != Reason.BELOW_THRESHOLD)


@dataclass(frozen=True)
class RunTally:
    """Counts over a table.

    Attributes
    ----------
    counts
        Picks of each completed micrograph, by id.
    candidates
        Number of candidates.
    junk
        Candidates at or above the threshold that lie on junk, by its kind.
    unpicked
        Candidates at or above the threshold that are not picked, by reason; several reasons count each.
    expected
        Precision and recall expected from calibrated scores.
    filaments
        Number of filaments that have a pick.
    """

    counts: dict[str, int]
    candidates: int
    junk: dict[str, int]
    unpicked: dict[str, int]
    expected: ExpectedParticles
    filaments: int = 0


class TallyCounter:
    """Counts candidates and picks, one micrograph after the other.

    Parameters
    ----------
    thresholds
        By data set.
    """

    def __init__(self, thresholds: Mapping[str, Threshold]) -> None:
        self._thresholds = thresholds
        self._counts: dict[str, int] = {}
        self._candidates, self._filaments, self._sums = 0, 0, np.zeros(2)
        self._junk, self._unpicked = Counter[str](), Counter[Reason]()

    def __call__(self, picks: MicrographPicks) -> None:
        """Count a micrograph."""
        if picks.micrograph.status != "complete":
            return
        cut, picked = self._thresholds.get(picks.micrograph.dataset), picks.picked
        self._candidates += len(picks.score)
        self._counts[picks.micrograph.micrograph_id] = int(picked.sum())
        if "filament" in picks.more:
            numbers = picks.more["filament"][picked]
            self._filaments += len(np.unique(numbers[numbers >= 0]))
        below = picks.unpicked == Reason.BELOW_THRESHOLD
        self._sums += [picks.score[which].sum(dtype=np.float64) for which in (picked, below)]
        threshold = math.inf if cut is None else cut.value
        self._junk.update(picks.kept_out(threshold))
        is_above = picks.score >= np.float32(threshold)
        reasons = Reason(int(np.bitwise_or.reduce(picks.unpicked, initial=np.uint16(0))))
        self._unpicked.update(
            {why: int((picks.has(why) & is_above).sum()) for why in OTHERS if why in reasons}
        )

    @property
    def tally(self) -> RunTally:
        """The counts so far."""
        why_not = {WORDS[why]: self._unpicked[why] for why in OTHERS if self._unpicked[why]}
        expected = ExpectedParticles.of(sum(self._counts.values()), *self._sums.tolist())
        return RunTally(self._counts, self._candidates, dict(self._junk), why_not, expected, self._filaments)


def tally(table: Iterable[MicrographPicks], thresholds: Mapping[str, Threshold]) -> RunTally:
    """Count a table's candidates and picks, given the thresholds by data set."""
    counter = TallyCounter(thresholds)
    for picks in table:
        counter(picks)
    return counter.tally
