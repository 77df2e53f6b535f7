"""A pass that keeps whole micrographs from being picked."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from cryopick_ray.picks.reasons import Reason
from cryopick_ray.picks.schema import MicrographPicks


@dataclass(frozen=True)
class Excluded:
    """Marks all candidates of the micrographs with these ids."""

    micrograph_ids: Collection[str]

    def __call__(self, picks: MicrographPicks) -> MicrographPicks:
        """Return the picks of a micrograph, marked."""
        if picks.micrograph.micrograph_id not in self.micrograph_ids:
            return picks
        return picks.marked(Reason.EXCLUDED_MICROGRAPH, np.ones(len(picks), bool))
