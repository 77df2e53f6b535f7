"""A blob detector without weights: the baseline for networks."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, gaussian_filter

from cryopick_ray.errors import UsageError
from cryopick_ray.pickers.peaks import find_peaks
from cryopick_ray.pickers.picker import Candidates

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PARTICLE_PX = 12.0
"""F1 on real micrographs is the same from 8 to 20 pixels a particle; fewer are quicker."""
MIN_PARTICLE_PX = 4.0
SIZE = 0.9
"""Blob diameter over the stated one, which is the longest dimension: most projections are narrower."""
ANISOTROPY = 0.5
"""How much a response unequal in two directions loses: an edge or a streak is not a blob."""
NEIGHBOURHOOD = 1.0
"""Sigma, in diameters, of the region whose root-mean-square response a response is measured against."""
SUPPRESSION = 0.5
"""Suppression radius in diameters: touching particles are both kept."""
FLOOR = -2.0
"""Low enough to keep the whole population of false blobs, which the threshold is found from."""


class LogPicker:
    """Laplacian of Gaussian at one scale, tuned to discs darker than the ice.

    Lindeberg (1998), Int. J. Comput. Vis. 30:79: a disc of radius r answers most strongly to the
    Laplacian of a Gaussian of ``sigma = r / sqrt(2)``.

    Parameters
    ----------
    particle_px
        How many pixels a particle's diameter spans in the image that :meth:`pick` is given.

    Raises
    ------
    UsageError
        If ``particle_px`` is too small to tell a blob from a pixel.
    """

    name = "log"
    wants_gpu = False
    batch = 1
    threshold: float | None = None
    is_probability = can_be_calibrated = calibrated = False

    def __init__(self, particle_px: float = PARTICLE_PX) -> None:
        if not MIN_PARTICLE_PX <= particle_px < math.inf:
            raise UsageError(
                f"the blob detector got {particle_px} px a particle; give `particle_px` of at least "
                f"{MIN_PARTICLE_PX:g} ({PARTICLE_PX:g} is its own)"
            )
        self.particle_px = particle_px

    @property
    def device(self) -> "torch.device":
        """The CPU."""
        import torch

        return torch.device("cpu")

    def settings(self) -> dict[str, Any]:
        """Return everything that decides the picks, as plain JSON."""
        return {
            "model": self.name,
            "particle_px": self.particle_px,
            "size": SIZE,
            "anisotropy": ANISOTROPY,
            "neighbourhood": NEIGHBOURHOOD,
            "suppression": SUPPRESSION,
            "floor": FLOOR,
        }

    def pick(self, image: NDArray[np.float32]) -> Candidates:
        """Return all blobs of an ``(h, w)`` image that the edge does not cut.

        The score is :func:`blob_score`. A centre nearer to an edge than half a diameter belongs to
        a particle that cannot be boxed whole, and is where streaks along the edge answer: left out.
        """
        score = blob_score(image, self.particle_px)
        margin = math.ceil(self.particle_px / 2)
        whole = np.full_like(score, -np.inf)
        inside = np.s_[margin : score.shape[0] - margin, margin : score.shape[1] - margin]
        whole[inside] = score[inside]
        return find_peaks(whole, radius_px=SUPPRESSION * self.particle_px, floor=FLOOR)

    def pick_many(self, images: "Tensor") -> list[Candidates]:
        """Return the blobs of ``(n, h, w)`` images, one by one."""
        return [self.pick(image.numpy()) for image in images]


def blob_score(image: NDArray[np.float32], particle_px: float) -> NDArray[np.float32]:
    """Return how much each pixel looks like the centre of a dark disc, in robust standard deviations.

    With the second derivatives of the image, smoothed by a Gaussian of ``sigma = 0.9 r / sqrt(2)``,
    ``mean`` (half the Laplacian) is positive in dark blobs and ``unequal`` (half the difference of the
    two principal curvatures) is as large as ``mean`` on a straight ridge. The response ``mean - 0.5
    unequal`` is divided by the root mean square of ``mean`` around (Gaussian weights, sigma one
    diameter) or by the median of that over the micrograph, whichever is larger: carbon, contamination
    and thick ice do not outrank particles, and quiet ice is not blown up. The score is
    this ratio less its median, over 1.4826 times its median absolute deviation, both taken over the
    pixels of this micrograph. The image is reflected at its edges. A featureless image scores 0.

    Parameters
    ----------
    image
        ``(h, w)`` image, particles darker than the ice, any scale of grey.
    particle_px
        Particle diameter in pixels.
    """
    sigma = SIZE * particle_px / (2 * math.sqrt(2))
    smooth = gaussian_filter(image, sigma)
    yy, xx = (correlate1d(smooth, (1, -2, 1), axis) for axis in (0, 1))  # blind to the level of grey
    xy = correlate1d(correlate1d(smooth, (-0.5, 0, 0.5), 0), (-0.5, 0, 0.5), 1)
    mean = (yy + xx) / 2
    unequal = np.hypot((yy - xx) / 2, xy)
    local = np.sqrt(gaussian_filter(mean * mean, NEIGHBOURHOOD * particle_px))
    typical = max(float(np.median(local)), float(np.finfo(np.float32).tiny))
    ratio = (mean - ANISOTROPY * unequal) / np.maximum(local, typical)
    ratio -= np.median(ratio)
    spread = 1.4826 * float(np.median(np.abs(ratio)))
    return (ratio / spread if spread > 0 else np.zeros_like(ratio)).astype(np.float32)
