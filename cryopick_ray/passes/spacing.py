"""A pass that keeps only the best of candidates that are too near to each other."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cryopick_ray.picks.reasons import Reason
from cryopick_ray.picks.schema import MicrographPicks


@dataclass(frozen=True)
class Apart:
    """Marks candidates nearer than ``min_distance_A`` angstroms to a better one, as duplicates of it.

    Better is what scores higher, of equals what comes first in y, then x. What another reason keeps out is in
    nobody's way, but for the threshold: whatever the cut, the picks above it are the same. Micrographs whose
    pixel size is not known stay as they are.
    """

    min_distance_A: float

    def __call__(self, picks: MicrographPicks) -> MicrographPicks:
        """Return the picks of a micrograph, marked."""
        size_A = picks.micrograph.pixel_size_A
        free = np.flatnonzero((picks.unpicked & ~np.uint16(Reason.BELOW_THRESHOLD)) == 0)
        if size_A is None or len(free) < 2:
            return picks
        order = free[np.lexsort((picks.x_px[free], picks.y_px[free], -picks.score[free]))]
        places = np.column_stack([picks.x_px[order], picks.y_px[order]]).astype(np.float64)
        is_duplicate = np.zeros(len(picks), bool)
        is_duplicate[order[~kept_apart(places, self.min_distance_A / size_A)]] = True
        return picks.marked(Reason.DUPLICATE, is_duplicate)


def kept_apart(places: NDArray[np.float64], distance: float) -> NDArray[np.bool_]:
    """Tell which of ``(n, 2)`` places, best first, are nearer than ``distance`` to no better kept one."""
    kept = np.ones(len(places), bool)
    near = cKDTree(places).query_pairs(np.nextafter(distance, 0), output_type="ndarray")
    near = near[np.argsort(near[:, 0], kind="stable")]
    starts = np.searchsorted(near[:, 0], np.arange(len(places) + 1)).tolist()
    for better, (start, end) in enumerate(pairwise(starts)):
        if start < end and kept[better]:
            kept[near[start:end, 1]] = False
    return kept
