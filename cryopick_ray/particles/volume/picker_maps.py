"""What a picker's particles came to in three dimensions, by which of them and how their views were found."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.evaluation.score import Score
from cryopick_ray.particles.volume.worth import Worth

OWN, EQUAL = "own threshold", "equal numbers"
PLACED, MATCHED = "as placed", "matched"


@dataclass(frozen=True, eq=False)
class Structure:
    """What a run's picks came to.

    Attributes
    ----------
    score
        Against the truth; ``None`` without one.
    seconds
        Of picking a micrograph, wall-clock; ``None`` if it does not say.
    worth
        By which picks, and how their poses were found.
    match_score
        Mean of how well picks match the reference, in standard deviations of the noise.
    by_quality, averages
        Picks by the quality of the 2-D class that they are in, and ``(k, box, box)`` averages of the best.
    """

    name: str
    picks: int
    score: Score | None
    seconds: float | None
    worth: Mapping[tuple[str, str], Worth]
    match_score: float
    by_quality: Mapping[str, int]
    averages: NDArray[np.float32]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        score = self.score
        return {
            "run": self.name,
            "picks": self.picks,
            **{
                name: score and getattr(score, name)
                for name in ("precision", "recall", "f1", "best_f1", "auprc")
            },
            "centring_error_diameters": score and score.centring_error,
            "seconds_a_micrograph": self.seconds,
            "match_score": self.match_score,
            "particles_by_quality": dict(self.by_quality),
            "maps": [
                {
                    "picks": which,
                    "poses": how,
                    "particles": one.particles,
                    "half_maps_A": [_finite(value) for value in one.half_A],
                    "reference_A": _finite(one.reference_A),
                    "sampling_compensation": one.sampling,
                    "directions_unseen": one.unseen,
                }
                for (which, how), one in self.worth.items()
            ],
            "notes": list(self.notes),
        }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
