"""What a run's table comes to: how many were picked where, what was kept out, what scores promise."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from cryopick_ray.picks.expected import Expected
from cryopick_ray.picks.reasons import WORDS, Why
from cryopick_ray.picks.schema import MicrographPicks
from cryopick_ray.picks.thresholds import Threshold

OTHERS = tuple(why for why in Why if why != Why.BELOW_THRESHOLD)


@dataclass(frozen=True)
class RunTally:
    """Counts over a table.

    Attributes
    ----------
    counts
        Picks of each completed micrograph, by id.
    candidates
        Candidates of all of them.
    junk
        Candidates at or above the threshold that are not picked as they lie on junk, by its kind.
    unpicked
        Likewise all that are not picked, by why; what has several reasons counts for each.
    expected
        What calibrated scores say of the picks.
    """

    counts: dict[str, int]
    candidates: int
    junk: dict[str, int]
    unpicked: dict[str, int]
    expected: Expected


class Counting:
    """Counts a table's candidates and picks as its micrographs pass.

    Parameters
    ----------
    thresholds
        By data set.
    """

    def __init__(self, thresholds: Mapping[str, Threshold]) -> None:
        self._thresholds = thresholds
        self._counts: dict[str, int] = {}
        self._candidates, self._sums = 0, np.zeros(2)
        self._junk, self._unpicked = Counter[str](), Counter[Why]()

    def __call__(self, picks: MicrographPicks) -> None:
        """Count a micrograph."""
        if picks.micrograph.status != "complete":
            return
        cut, picked = self._thresholds.get(picks.micrograph.dataset), picks.picked
        self._candidates += len(picks.score)
        self._counts[picks.micrograph.micrograph_id] = int(picked.sum())
        below = picks.unpicked == Why.BELOW_THRESHOLD
        self._sums += [picks.score[which].sum(dtype=np.float64) for which in (picked, below)]
        least = math.inf if cut is None else cut.value
        self._junk.update(picks.kept_out(least))
        enough = picks.score >= np.float32(least)
        met = Why(int(np.bitwise_or.reduce(picks.unpicked, initial=np.uint16(0))))
        self._unpicked.update({why: int((picks.has(why) & enough).sum()) for why in OTHERS if why in met})

    @property
    def tally(self) -> RunTally:
        """What was counted."""
        why_not = {WORDS[why]: self._unpicked[why] for why in OTHERS if self._unpicked[why]}
        expected = Expected.of(sum(self._counts.values()), *self._sums.tolist())
        return RunTally(self._counts, self._candidates, dict(self._junk), why_not, expected)


def tally(table: Iterable[MicrographPicks], thresholds: Mapping[str, Threshold]) -> RunTally:
    """Count a table's candidates and picks, given the thresholds by data set."""
    counting = Counting(thresholds)
    for one in table:
        counting(one)
    return counting.tally
