"""The share pi of pixels that belong to particles, from how many particles are expected."""

import numpy as np

from cryopick_ray.errors import UsageError
from cryopick_ray.units import is_positive


def disc_pixels(radius_px: float) -> int:
    """Return how many whole pixels lie within ``radius_px`` of one of them, itself included: 29 for 3.

    Raises
    ------
    UsageError
        If the radius is not a length of at least 0.
    """
    if not 0 <= radius_px < np.inf:
        raise UsageError(f"radius_px is {radius_px}; expected a finite length of at least 0")
    square = np.arange(-int(radius_px), int(radius_px) + 1, dtype=float) ** 2
    return int(np.count_nonzero(square[:, None] + square <= radius_px**2))


def expected_pi(particles: float, pixels: float, *, radius_px: float) -> float:
    """Return the share of a micrograph's pixels that lie within ``radius_px`` of a particle's centre.

    Discs are taken not to overlap, as particles are further apart than two radii.

    Parameters
    ----------
    particles
        Expected in a micrograph, labelled or not.
    pixels
        Of a micrograph at the working pixel size.

    Raises
    ------
    UsageError
        If that is no share above 0 and below 1.
    """
    if not is_positive(pixels):
        raise UsageError(f"a micrograph of {pixels} pixels; expected more than 0")
    pi = particles * disc_pixels(radius_px) / pixels
    if not 0 < pi < 1:
        raise UsageError(
            f"{particles:g} particles of {disc_pixels(radius_px)} pixels each in {pixels:g} pixels make pi "
            f"{pi:.3g}; expected between 0 and 1: give other particles or another radius_px"
        )
    return pi
