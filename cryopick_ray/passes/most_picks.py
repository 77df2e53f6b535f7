"""A pass that limits the number of picks of a micrograph."""

from dataclasses import dataclass

import numpy as np

from cryopick_ray.picks.reasons import Reason
from cryopick_ray.picks.schema import MicrographPicks


@dataclass(frozen=True)
class AtMost:
    """Marks candidates beyond the ``most_picks`` best that no reason but the threshold keeps out.

    Equal scores go by y, then x.
    """

    most_picks: int

    def __call__(self, picks: MicrographPicks) -> MicrographPicks:
        """Return the picks of a micrograph, marked."""
        free = np.flatnonzero((picks.unpicked & ~np.uint16(Reason.BELOW_THRESHOLD)) == 0)
        order = free[np.lexsort((picks.x_px[free], picks.y_px[free], -picks.score[free]))]
        is_surplus = np.zeros(len(picks), bool)
        is_surplus[order[self.most_picks :]] = True
        return picks.marked(Reason.SURPLUS, is_surplus)
