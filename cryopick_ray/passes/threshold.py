"""A pass that keeps candidates below the threshold from being picked."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cryopick_ray.picks.reasons import Reason
from cryopick_ray.picks.schema import MicrographPicks


@dataclass(frozen=True)
class AboveCut:
    """Marks candidates that score below their data set's cut."""

    cuts: Mapping[str, float]

    def __call__(self, picks: MicrographPicks) -> MicrographPicks:
        """Return the picks of a micrograph, marked."""
        cut = np.float32(self.cuts[picks.micrograph.dataset])
        return picks.marked(Reason.BELOW_THRESHOLD, picks.score < cut)
