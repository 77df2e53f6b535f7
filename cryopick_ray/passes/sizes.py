"""A pass that keeps particles of unusual size, as the picker measures it, from being picked."""

from dataclasses import dataclass

import numpy as np

from cryopick_ray.picks.reasons import Reason
from cryopick_ray.picks.schema import MicrographPicks


@dataclass(frozen=True)
class InSize:
    """Marks candidates whose ``size_A`` is below ``smallest_A`` or above ``largest_A`` angstroms.

    What no picker measured stays.
    """

    smallest_A: float | None = None
    largest_A: float | None = None

    def __call__(self, picks: MicrographPicks) -> MicrographPicks:
        """Return the picks of a micrograph, marked."""
        if (size_A := picks.more.get("size_A")) is None:
            return picks
        least = -np.inf if self.smallest_A is None else self.smallest_A
        most = np.inf if self.largest_A is None else self.largest_A
        return picks.marked(Reason.WRONG_SIZE, (size_A < least) | (size_A > most))
