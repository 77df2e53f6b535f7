"""A pass that keeps particles at the edge of a micrograph from being picked."""

from dataclasses import dataclass

import numpy as np

from cryopick_ray.picks.reasons import Reason
from cryopick_ray.picks.schema import MicrographPicks


@dataclass(frozen=True)
class FromEdge:
    """Marks candidates whose centres are nearer to an edge of their micrograph than ``edge_A`` angstroms.

    The edge is that of the outermost pixels, half a pixel beyond their centres. Micrographs whose shape or
    pixel size is not known stay as they are.
    """

    edge_A: float

    def __call__(self, picks: MicrographPicks) -> MicrographPicks:
        """Return the picks of a micrograph, marked."""
        micrograph = picks.micrograph
        if micrograph.shape is None or micrograph.pixel_size_A is None:
            return picks
        height, width = micrograph.shape
        x, y = picks.x_px + 0.5, picks.y_px + 0.5
        away_px = np.minimum.reduce([x, width - x, y, height - y])
        return picks.marked(Reason.NEAR_EDGE, away_px * micrograph.pixel_size_A < self.edge_A)
