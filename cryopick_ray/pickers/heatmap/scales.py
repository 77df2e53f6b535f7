"""A micrograph at several scales, each resampled from a level of a pyramid."""

import numpy as np
from numpy.typing import NDArray

from cryopick_ray.micrographs.resample import fourier_resize
from cryopick_ray.units import resampled_shape

HALVINGS = 3
"""Levels of the pyramid: coarse scales are resampled from small images."""


class Scales:
    """A pyramid of a micrograph, each level half as large, made when it is needed.

    Parameters
    ----------
    image
        ``(h, w)`` float32; up to seven pixels of its lower and right edges are left out.
    pixel_size_A
        Its own.

    Attributes
    ----------
    side_A
        The shorter side in angstroms.
    """

    def __init__(self, image: NDArray[np.float32], pixel_size_A: float) -> None:
        height, width = (side - side % 2**HALVINGS for side in image.shape)
        self._levels = [image[:height, :width]]
        self.pixel_size_A = pixel_size_A
        self.side_A = min(height, width) * pixel_size_A

    def middle(self, side_A: float, target_A: float) -> tuple[NDArray[np.float32], float]:
        """Return the middle, at most ``side_A`` a side, at nearly ``target_A`` a pixel, and its area."""
        level = min(max(0, int(np.log2(target_A / self.pixel_size_A))), HALVINGS)
        image, pixel_size_A = self._level(level), self.pixel_size_A * 2**level
        side_px = int(side_A / pixel_size_A)
        top, left = (max(0, (side - side_px) // 2) for side in image.shape)
        part = image[top : top + side_px, left : left + side_px]
        shape = resampled_shape((part.shape[0], part.shape[1]), pixel_size_A, target_A)
        return fourier_resize(part, shape), part.size * pixel_size_A**2

    def _level(self, level: int) -> NDArray[np.float32]:
        while len(self._levels) <= level:
            finer = self._levels[-1]
            self._levels.append(fourier_resize(finer, (finer.shape[0] // 2, finer.shape[1] // 2)))
        return self._levels[level]
