"""What a reconstruction came to: numbers, curves, doubts."""

import csv
import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.particles.volume.fsc import HalfMapAgreement, resolution_A

THRESHOLDS = (0.143, 0.5)


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What particles came to.

    Attributes
    ----------
    counts
        Particles of each half.
    halves
        How the half maps agree.
    to_reference
        Correlation of the map with a given one, in the mask, by shell; ``None`` without one.
    sampling, unseen
        How evenly views sample the spectrum: see
        :func:`~cryopick_ray.particles.volume.view_directions.sampling`.
    score
        Mean score of the poses that were looked for.
    seconds
        By step.
    notes
        What was guessed, doubted or left out.
    """

    out: str
    counts: tuple[int, int]
    halves: HalfMapAgreement
    to_reference: NDArray[np.float64] | None
    sampling: float
    unseen: float
    score: float | None
    seconds: dict[str, float]
    notes: tuple[str, ...]

    @property
    def resolutions_A(self) -> dict[str, float]:
        """Where the half maps' corrected curve falls below each threshold."""
        return {str(threshold): self.halves.resolution_A(threshold) for threshold in THRESHOLDS}

    @property
    def reference_A(self) -> float | None:
        """Where the correlation with the reference falls below a half."""
        if self.to_reference is None:
            return None
        return resolution_A(self.to_reference, self.halves.side_px * self.halves.pixel_size_A, 0.5)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; a resolution is null where curves fall below at once."""
        return {
            "out": self.out,
            "particles": sum(self.counts),
            "halves": list(self.counts),
            "box_px": self.halves.side_px,
            "pixel_size_A": self.halves.pixel_size_A,
            "resolution_A": {name: _finite(value) for name, value in self.resolutions_A.items()},
            "reference_resolution_A": _finite(self.reference_A),
            "sampling_compensation": self.sampling,
            "directions_unseen": self.unseen,
            "pose_score": self.score,
            "seconds": self.seconds,
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """Return the resolutions for a person."""
        first, second = self.resolutions_A.values()
        lines = [
            f"{sum(self.counts)} particles: {first:.1f} A at .143, {second:.1f} A at .5 of the half maps' FSC"
        ]
        if self.reference_A is not None and math.isfinite(self.reference_A):
            lines.append(f"FSC with the reference is .5 at {self.reference_A:.1f} A")
        return "\n".join([*lines, f"maps, curves and a page in {self.out}"])


def doubts_of(done: Reconstruction) -> list[str]:
    """Return what a person should know of the numbers."""
    doubts = []
    finest_A = 2 * done.halves.pixel_size_A
    if done.resolutions_A["0.143"] <= finest_A * 1.001:
        doubts.append(f"half maps agree to the last shell, {finest_A:g} A: finer pixels would show more")
    if done.reference_A is not None and math.isinf(done.reference_A):
        doubts.append(
            "the map agrees with the reference nowhere: see that matter is bright in both, in the middle, "
            "and the same molecule"
        )
    if done.unseen > 0:
        doubts.append(
            f"{100 * done.unseen:.2g}% of the directions of the spectrum are in no image: views are missing"
        )
    return doubts


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def curves_csv(done: Reconstruction) -> str:
    """Return the curves as CSV, a row a shell."""
    halves = done.halves
    columns = {
        "frequency_per_A": halves.frequency_per_A,
        "unmasked": halves.unmasked,
        "masked": halves.masked,
        "randomised": halves.randomised,
        "corrected": halves.corrected,
    }
    if done.to_reference is not None:
        columns["reference"] = done.to_reference
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["shell", *columns])
    for shell, values in enumerate(zip(*columns.values(), strict=True)):
        rows.writerow([shell, *("" if math.isnan(value) else f"{value:.6f}" for value in values)])
    return text.getvalue()
