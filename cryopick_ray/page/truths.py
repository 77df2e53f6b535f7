"""True particles, where they are known: which candidates find one, and what scores promise."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.errors import CryoPickError
from cryopick_ray.evaluation.reliability import score_bins
from cryopick_ray.page.counts import CountedCandidates
from cryopick_ray.picks.schema import MicrographPicks, PickedMicrograph
from cryopick_ray.units import diameter_px

if TYPE_CHECKING:
    from cryopick_ray.evaluation.truth import Centres, Truth

RADIUS_DIAMETERS = 0.5
"""A candidate so near to a true particle finds it."""


def centres_of(truth: "Truth | None", micrograph: PickedMicrograph) -> "Centres | None":
    """Return ``(n, 2)`` true centres of a micrograph; ``None`` where they are not known, or not for sure."""
    if truth is None:
        return None
    try:
        name = truth.name_of(micrograph.micrograph_id)
        return None if name is None else truth.centres(name, micrograph.shape)
    except CryoPickError:
        return None


def finds(truth: "Truth | None", picks: MicrographPicks, diameter_A: float) -> NDArray[np.bool_] | None:
    """Return ``(n,)`` which candidates find a true particle; ``None`` where none are known."""
    centres = centres_of(truth, picks.micrograph)
    if centres is None:
        return None
    from cryopick_ray.picks.matching import match  # with SciPy, which a page without truth starts without

    radius_px = RADIUS_DIAMETERS * diameter_px(diameter_A, picks.micrograph.pixel_size_A or 1.0)
    score = np.nan_to_num(picks.score)
    return match(picks.x_px, picks.y_px, score, centres[:, 0], centres[:, 1], radius_px) >= 0


def calibration(candidates: CountedCandidates, has_truth: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Return what scores promise and what is true, in bins of the scores; nothing where they are no shares.

    Parameters
    ----------
    has_truth
        ``(m,)`` which micrographs have known particles.
    """
    known = candidates.of(has_truth)
    score, true = candidates.score[known], candidates.true[known]
    if not len(score) or not ((score >= 0) & (score <= 1)).all():
        return []
    return [
        {"score": score_bin.mean_score, "share_true": score_bin.share_true, "n": score_bin.count}
        for score_bin in score_bins(score, true)
    ]
