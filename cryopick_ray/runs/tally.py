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
class Tally:
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


def tally(table: Iterable[MicrographPicks], thresholds: Mapping[str, Threshold]) -> Tally:
    """Count a table's candidates and picks.

    Parameters
    ----------
    thresholds
        By data set.
    """
    counts: dict[str, int] = {}
    candidates, sums, junk, unpicked = 0, np.zeros(2), Counter[str](), Counter[Why]()
    for one in table:
        if one.micrograph.status == "complete":
            cut = thresholds.get(one.micrograph.dataset)
            candidates += len(one.score)
            counts[one.micrograph.micrograph_id] = int(one.picked.sum())
            below = one.unpicked == Why.BELOW_THRESHOLD
            sums += [one.score[which].sum(dtype=np.float64) for which in (one.picked, below)]
            least = math.inf if cut is None else cut.value
            junk.update(one.kept_out(least))
            enough = one.score >= np.float32(least)
            unpicked.update({why: int((one.has(why) & enough).sum()) for why in OTHERS})
    why_not = {WORDS[why]: unpicked[why] for why in OTHERS if unpicked[why]}
    return Tally(counts, candidates, dict(junk), why_not, Expected.of(sum(counts.values()), *sums.tolist()))
